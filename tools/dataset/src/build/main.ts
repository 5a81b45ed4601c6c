import { availableParallelism } from 'node:os';
import { basename } from 'node:path';
import { userPath, wholeNumber } from '../set/option-value.ts';
import { progressReporter } from '../set/progress.ts';
import { runCommand } from '../set/run-command.ts';
import { buildSet } from './build-set.ts';
import { PART_SIZES } from './set-part.ts';

const USAGE = `Builds train, validation and test sets from a source pack.

  npm run build-set -w @faultline/dataset -- --pack DIR --out DIR

  --pack          source pack: sources.json with its sounds and pictures
  --out           where the set goes; the same command continues a build that was interrupted
  --name          name of the set (that of the folder)
  --train N       training clips (${PART_SIZES.train})
  --validation N  validation clips, of sources that training never uses (${PART_SIZES.validation})
  --unseen N      test clips of sources that neither uses (${PART_SIZES['test-unseen']})
  --seen N        test clips of training sources, in new renditions (${PART_SIZES['test-seen']})
  --seed N        what is drawn (1)
  --media N       also writes the first N clips of each part as mp4, to look at and listen to (0)
  --cache DIR     where decoded sources are kept (.cache/dataset)
  --workers N     threads that compose (as many as there are cores)`;

const text = (fallback: number) => ({ type: 'string', default: String(fallback) }) as const;

const OPTIONS = {
  pack: { type: 'string' },
  out: { type: 'string' },
  name: { type: 'string' },
  train: text(PART_SIZES.train),
  validation: text(PART_SIZES.validation),
  unseen: text(PART_SIZES['test-unseen']),
  seen: text(PART_SIZES['test-seen']),
  seed: text(1),
  media: text(0),
  cache: { type: 'string' },
  workers: text(availableParallelism()),
} as const;

await runCommand(USAGE, OPTIONS, ['pack', 'out'], async (values) => {
  const number = (option: 'train' | 'validation' | 'unseen' | 'seen' | 'seed' | 'media' | 'workers', least = 0) =>
    wholeNumber(option, values[option], least);
  const out = userPath(values.out);
  const { clips } = await buildSet({
    packDir: userPath(values.pack),
    ...(values.cache === undefined ? {} : { cacheDir: userPath(values.cache) }),
    out,
    name: values.name ?? basename(out),
    sizes: {
      train: number('train', 1),
      validation: number('validation'),
      'test-unseen': number('unseen'),
      'test-seen': number('seen'),
    },
    seed: number('seed'),
    media: number('media'),
    workers: number('workers', 1),
    onProgress: progressReporter(),
  });
  return `${clips.length} clips in ${out}`;
});
