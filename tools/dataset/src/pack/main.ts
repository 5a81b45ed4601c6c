import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { userPath, wholeNumber } from '../set/option-value.ts';
import { progressReporter } from '../set/progress.ts';
import { runCommand } from '../set/run-command.ts';
import { makePack } from './make-pack.ts';
import { downloadPackages, readPackageList } from './package-store.ts';
import { readSourceList } from './source-list.ts';

const USAGE = `Makes the source pack again from the Debian and npm packages that its sources came from.

  npm run make-pack -w @faultline/dataset -- --packages DIR --out DIR [--download]

  --packages DIR  the packages, as 'apt-get download' and 'npm pack' leave them
  --out DIR       where the pack goes; files that are there stay, so the same command continues
  --download      first fetch the packages that are missing (3.2 GB; needs Debian 12 with 'deb' sources)
  --work DIR      where packages are unpacked (unpacked, in the folder of the packages)
  --workers N     packages at once (as many as there are cores)

  Needs dpkg-deb and tar; fluidsynth and timidity for the phrases of sound fonts.`;

const OPTIONS = {
  packages: { type: 'string' },
  out: { type: 'string' },
  work: { type: 'string' },
  download: { type: 'boolean', default: false },
  workers: { type: 'string', default: String(availableParallelism()) },
} as const;

await runCommand(USAGE, OPTIONS, ['packages', 'out'], async (values) => {
  const packagesDir = userPath(values.packages);
  const out = userPath(values.out);
  const workers = wholeNumber('workers', values.workers, 1);
  if (values.download) await downloadPackages(packagesDir, await readPackageList());
  const outcomes = await makePack({
    sources: await readSourceList(),
    packagesDir,
    work: values.work === undefined ? join(packagesDir, 'unpacked') : userPath(values.work),
    out,
    workers,
    onProgress: progressReporter(),
  });
  const made = outcomes.filter((outcome) => 'entry' in outcome).length;
  return `${made} of ${outcomes.length} sources in ${out}; see its README.md`;
});
