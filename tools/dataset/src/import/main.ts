import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { MEDIA_SHAPE } from '../set/media-shape.ts';
import { userPath, wholeNumber } from '../set/option-value.ts';
import { progressReporter } from '../set/progress.ts';
import { runCommand } from '../set/run-command.ts';
import { SetError } from '../set/set-manifest.ts';
import { SPLITS } from '../splits.ts';
import { SPLIT_SHARES, type SplitShares } from './group-splits.ts';
import { importSet } from './import-set.ts';
import { readListing } from './listing.ts';

const USAGE = `Imports labelled media, or features of the founding study's shapes, of your own.

  npm run import -w @faultline/dataset -- --from FOLDER|LIST.csv --out DIR

  --from     a folder with one folder a label (label/clip.mp4, label/group/clip.mp4), or a CSV with a header:
             file, labels (a;b), and if known id, group, split, licence, attribution, style;
             for features audio (400 x 64) and video (10 x 2048), .npy or CSV, row where an .npy holds all clips
  --out      where the set goes; the same command continues an import that was interrupted
  --name     name of the set (that of the folder)
  --shares   shares of ${SPLITS.join(', ')} (${SPLITS.map((split) => SPLIT_SHARES[split]).join(',')})
  --seed     decides which groups go where (1)
  --workers  processes that read clips (as many as there are cores)`;

const OPTIONS = {
  from: { type: 'string' },
  out: { type: 'string' },
  name: { type: 'string' },
  shares: { type: 'string' },
  seed: { type: 'string', default: '1' },
  workers: { type: 'string', default: String(availableParallelism()) },
} as const;

function readShares(text: string | undefined): SplitShares {
  if (text === undefined) return SPLIT_SHARES;
  const numbers = text.split(',').map(Number);
  const [train = Number.NaN, validation = Number.NaN, test = Number.NaN] = numbers;
  const sum = train + validation + test;
  const fine = numbers.length === SPLITS.length && numbers.every((share) => share >= 0) && Math.abs(sum - 1) < 1e-6;
  if (!fine) throw new SetError(`--shares is "${text}"; give three shares that add up to 1, as 0.8,0.1,0.1`);
  return { train, validation, test };
}

await runCommand(USAGE, OPTIONS, ['from', 'out'], async (values) => {
  const out = userPath(values.out);
  const manifest = await importSet({
    items: await readListing(userPath(values.from)),
    out,
    name: values.name ?? basename(out),
    shares: readShares(values.shares),
    seed: wholeNumber('seed', values.seed, 0),
    shape: MEDIA_SHAPE,
    workers: wholeNumber('workers', values.workers, 1),
    onProgress: progressReporter(),
  });
  const counted = SPLITS.map((split) => `${manifest.clips.filter((clip) => clip.split === split).length} ${split}`);
  const left = manifest.leftOut.length === 0 ? '' : `; ${manifest.leftOut.length} left out, see DATA-CARD.md`;
  return `${manifest.clips.length} clips (${counted.join(', ')}) in ${out}${left}`;
});
