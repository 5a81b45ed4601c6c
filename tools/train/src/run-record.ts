import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { victim } from '@faultline/contracts';
import type { OpenSet } from '@faultline/dataset';
import { meanAndDeviation } from './mean-and-deviation.ts';

/** What was measured of one run: a small file beside its weights. */
export interface RunRecord {
  readonly name: string;
  readonly seed: number;
  /** The command that makes the weights. */
  readonly command: string;
  /** Digest of the clips that were measured on. */
  readonly measuredOn: string;
  readonly metrics: readonly victim.CleanMetrics[];
}

const ENDING = '.json';

export const recordPath = (folder: string, { name, seed }: Pick<RunRecord, 'name' | 'seed'>): string =>
  join(folder, `${name}-seed-${seed}${ENDING}`);

export async function writeRecord(folder: string, record: RunRecord): Promise<void> {
  await writeFile(recordPath(folder, record), `${JSON.stringify(record, undefined, 2)}\n`);
}

/** A digest of all validation and test clips of a set. */
export function digestOf(set: OpenSet): string {
  const clips = [...set.clips({ split: 'validation' }), ...set.clips({ split: 'test' })];
  return createHash('sha256')
    .update(clips.map(({ sha256 }) => sha256).join())
    .digest('hex');
}

const withoutSeed = (command: string): string => command.replace(/ --seed \d+/, '');

/** The records of runs that differ from one in nothing but their seed, and were measured on the same clips; by seed. */
export async function sistersOf(folder: string, record: RunRecord): Promise<readonly RunRecord[]> {
  const prefix = `${record.name}-seed-`;
  const names = (await readdir(folder)).filter((name) => name.startsWith(prefix) && name.endsWith(ENDING));
  const all = await Promise.all(
    names.map(async (name): Promise<RunRecord> => JSON.parse(await readFile(join(folder, name), 'utf8'))),
  );
  return all
    .filter(
      ({ command, measuredOn }) =>
        withoutSeed(command) === withoutSeed(record.command) && measuredOn === record.measuredOn,
    )
    .sort((a, b) => a.seed - b.seed);
}

/** The spread of the mAP on one split over runs; nothing of fewer than two. */
export function spreadOver(records: readonly RunRecord[], split: string): victim.SeedSpread | undefined {
  const figures = records.flatMap(({ seed, metrics }) => {
    const found = metrics.find((entry) => entry.split === split);
    return found === undefined ? [] : [{ seed, value: found.meanAveragePrecision }];
  });
  if (figures.length < 2) return undefined;
  const values = figures.map(({ value }) => value);
  const { mean, deviation } = meanAndDeviation(values);
  return {
    split,
    seeds: figures.map(({ seed }) => seed),
    meanAveragePrecisions: values,
    mean,
    standardDeviation: deviation,
  };
}
