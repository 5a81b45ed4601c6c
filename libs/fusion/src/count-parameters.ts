import { elementCount } from '@faultline/onnx';
import { buildVictim } from './build-victim.ts';
import type { FeatureSpec } from './designs.ts';
import type { VictimSpec } from './specs.ts';

/** Number of trained elements of a victim as it ships, or, `training`, with the branch heads that training alone has. */
export function countParameters(
  spec: VictimSpec | FeatureSpec,
  kind: 'training' | 'evaluation' = 'evaluation',
): number {
  return buildVictim(spec, { kind }).parameters.reduce((sum, { shape }) => sum + elementCount(shape), 0);
}
