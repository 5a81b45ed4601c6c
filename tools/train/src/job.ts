import { type OpenSet, openSet } from '@faultline/dataset';
import type { FeatureSpec, VictimSpec } from '@faultline/fusion';
import type { Arguments } from './arguments.ts';
import { type ExampleSource, packSource, setSource } from './example-sources.ts';
import { loadMeasuringSets, type MeasuringSets } from './measuring-sets.ts';
import { measuringSetOf } from './pack-set.ts';
import { specFor } from './victim-spec.ts';

/** One victim, as a command asks for it. */
export interface Job {
  readonly options: Arguments;
  readonly spec: VictimSpec | FeatureSpec;
  readonly set: OpenSet;
  readonly sets: MeasuringSets;
}

/**
 * Opens what a victim is measured on: the set given, or the clips that the set builder makes of the pack.
 * @throws RangeError, SetError when they do not fit the architecture.
 */
export async function openJob(options: Arguments): Promise<Job> {
  const { packDir, dataDir, name } = options;
  const set = await openSet(dataDir ?? (await measuringSetOf(packDir ?? '')));
  if (set.manifest.kind === 'features' && name === options.spec) {
    throw new RangeError(
      `victims of features are kept apart from those of media: give this one a name with --name, such as ${name}-study`,
    );
  }
  const spec = specFor(options.spec, set.manifest);
  return { options, spec, set, sets: await loadMeasuringSets(set, options.clipsDir, spec) };
}

/** What a victim is trained on: endless clips composed from the pack, where there is one, or the clips of the set. */
export const examplesOf = ({ options: { packDir, seed }, set }: Job): ExampleSource =>
  packDir === undefined ? setSource(set, seed) : packSource(packDir, seed);
