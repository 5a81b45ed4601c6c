import { OnnxError } from '@faultline/onnx';
import { countParameters } from './count-parameters.ts';
import type { FeatureSpec } from './designs.ts';
import { scaleWidths } from './scale-widths.ts';
import type { VictimSpec } from './specs.ts';

/** Widths are tried at multiples of 1 / 128: finer than a channel of most layers. */
const STEP = 1 / 128;
const LARGEST_FACTOR = 8;
/** Counts do not rise with every step, for widths are rounded: the neighbours of the crossing are tried too. */
const NEIGHBOURS = 3;

/**
 * The factor of all widths at which the victim has about `target` parameters: the closest of those around the crossing,
 * the smallest of equals. The same for the same spec and target.
 * @throws OnnxError when the target is out of reach.
 */
export function matchParameters(spec: VictimSpec | FeatureSpec, target: number): number {
  const count = (step: number) => countParameters(scaleWidths(spec, step * STEP));
  let [low, high] = [1, LARGEST_FACTOR / STEP];
  if (count(low) > target || count(high) < target) {
    throw new OnnxError(`no factor of the widths up to ${LARGEST_FACTOR} gives ${target} parameters`);
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (count(middle) < target) low = middle;
    else high = middle;
  }
  const tried = Array.from({ length: 2 * NEIGHBOURS + 2 }, (_, index) => low - NEIGHBOURS + index).filter(
    (at) => at > 0,
  );
  const away = tried.map((step) => Math.abs(count(step) - target));
  return (tried[away.indexOf(Math.min(...away))] ?? low) * STEP;
}
