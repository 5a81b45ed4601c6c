import { elementCount, float32 } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { ARCHITECTURE_NAMES, ARCHITECTURES } from '../architectures.ts';
import { buildVictim } from '../build-victim.ts';
import { countMacs } from '../count-macs.ts';
import { countParameters } from '../count-parameters.ts';
import type { FeatureSpec } from '../designs.ts';
import type { VictimSpec } from '../specs.ts';
import type { Row, Size } from '../table/architecture-table.ts';

/** Multiply-accumulates of one clip in the exported form, learnt from a dry run: it also shows that the shapes fit. */
export async function macsOf(spec: VictimSpec | FeatureSpec): Promise<number> {
  const { parameters, statistics } = buildVictim(spec, { kind: 'evaluation' });
  const zeros = (name: string, shape: readonly number[]) =>
    [name, float32(new Float32Array(elementCount(shape)), shape)] as const;
  const weights = new Map([
    ...parameters.map(({ name, shape }) => zeros(name, shape)),
    ...statistics.flatMap(({ mean, variance, channels }) => [zeros(mean, [channels]), zeros(variance, [channels])]),
  ]);
  const { graph } = buildVictim(spec, { kind: 'export', weights });
  return countMacs(graph, await dryRun(graph));
}

/** Measures every architecture at both sizes; equal specs once. Minutes, for the study's size is run. */
export async function measureArchitectures(): Promise<Row[]> {
  const known = new Map<string, Size>();
  const sizeOf = async (spec: VictimSpec | FeatureSpec): Promise<Size> => {
    const key = JSON.stringify(spec);
    const size = known.get(key) ?? { parameters: countParameters(spec), macs: await macsOf(spec) };
    known.set(key, size);
    return size;
  };
  const rows: Row[] = [];
  for (const name of ARCHITECTURE_NAMES) {
    const { laptop, study } = ARCHITECTURES[name];
    rows.push({ name, laptop: await sizeOf(laptop), study: await sizeOf(study) });
  }
  return rows;
}
