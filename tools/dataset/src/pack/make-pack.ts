import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { OnProgress } from '../set/progress.ts';
import { SetError } from '../set/set-manifest.ts';
import { writeWhole } from '../set/shards.ts';
import { packReadme } from './pack-readme.ts';
import { packageFile } from './package-store.ts';
import type { PackageTask, SourceOutcome } from './package-worker.ts';
import type { ListedSource } from './source-list.ts';

export interface PackOptions {
  readonly sources: readonly ListedSource[];
  /** Folder of .deb and .tgz files. */
  readonly packagesDir: string;
  /** Where packages are unpacked. */
  readonly work: string;
  readonly out: string;
  /** Packages at once. */
  readonly workers: number;
  readonly onProgress: OnProgress;
}

/**
 * Makes a source pack from packages: files, `sources.json` and `README.md`. Files that are there already stay. What cannot be made is
 * left out and named.
 * @throws SetError when there is no folder of packages
 */
export async function makePack(options: PackOptions): Promise<readonly SourceOutcome[]> {
  const { sources, packagesDir, work, out, workers, onProgress } = options;
  const found = await stat(packagesDir).catch(() => undefined);
  if (!found?.isDirectory())
    throw new SetError(`"${packagesDir}" is no folder; give that of the packages with --packages`);
  await mkdir(out, { recursive: true });
  await mkdir(work, { recursive: true });
  const outcomes = new Map<string, SourceOutcome>();
  const record = (outcome: SourceOutcome) => {
    outcomes.set(outcome.id, outcome);
    onProgress({ stage: 'sources', done: outcomes.size, of: sources.length });
  };
  // The package with the most files first, so that the lanes end together.
  const packages = [...Map.groupBy(sources, (source) => source.package)].sort(([, a], [, b]) => b.length - a.length);
  const queue = packages.values();
  const lane = async (): Promise<void> => {
    for (const [name, own] of queue) {
      const file = await packageFile(packagesDir, name);
      if (file === undefined) for (const { id } of own) record({ id, missing: `${name} is not in ${packagesDir}` });
      else await convertPackage({ file, sources: own, work, out }, record);
    }
  };
  await Promise.all(Array.from({ length: workers }, lane));
  const inOrder = sources.flatMap(({ id }) => outcomes.get(id) ?? []);
  const entries = inOrder.flatMap((outcome) => ('entry' in outcome ? [outcome.entry] : []));
  await writeFile(join(out, 'README.md'), packReadme(sources, outcomes));
  // Written last: where it is, the pack is whole.
  await writeWhole(join(out, 'sources.json'), `${JSON.stringify(entries, null, 1)}\n`);
  return inOrder;
}

/** Converts a package's sources in a thread of its own; what the thread cannot even begin is missing. */
async function convertPackage(task: PackageTask, record: (outcome: SourceOutcome) => void): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<string>();
  const left = new Set(task.sources.map(({ id }) => id));
  const worker = new Worker(new URL('./package-worker.ts', import.meta.url), { workerData: task });
  worker.on('message', (outcome: SourceOutcome) => {
    left.delete(outcome.id);
    record(outcome);
  });
  worker.once('error', (error) => resolve(error.message));
  worker.once('exit', () => resolve('the thread that reads its package ended early'));
  const missing = await promise;
  for (const id of left) record({ id, missing });
}
