import { coefficientWeights } from '@faultline/metrics';
import type { Tensors } from '@faultline/victim';
import type { AttackVariable } from './attack.ts';
import { isWeighted, weightsName } from './weighted-ball.ts';

/** data/D of a loop: the weights of the clip of each example, [examples, positions, hop], of the variables whose weights are each clip's own. */
export function weightedData(
  variables: readonly AttackVariable[],
  inputs: Tensors,
  exampleClips: readonly number[],
): Tensors {
  const own = variables.filter(isWeighted).filter(({ weighted }) => weighted.weighting.kind === 'masking');
  return new Map(
    own.map(({ name, dims, weighted: { weighting, positions, hop } }) => {
      const [samples = 0] = dims;
      const all = inputs.get(name)?.data;
      if (!(all instanceof Float32Array)) throw new TypeError(`input '${name}' is no float32 waveform`);
      const rows = new Map(
        [...new Set(exampleClips)].map((clip) => [
          clip,
          coefficientWeights(weighting, all.subarray(clip * samples, (clip + 1) * samples)),
        ]),
      );
      const data = new Float32Array(exampleClips.length * positions * hop);
      for (const [example, clip] of exampleClips.entries()) {
        data.set(rows.get(clip) ?? [], example * positions * hop);
      }
      return [weightsName(name), { dims: [exampleClips.length, positions, hop], data }];
    }),
  );
}
