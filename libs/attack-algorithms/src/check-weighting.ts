import type { attack, victim } from '@faultline/contracts';
import { binFrequencyHz, cosineAtoms, hopOf, lappedPositions, type Weighting } from '@faultline/metrics';
import { freeFrequencies, freeSamples } from './check-region.ts';
import type { Faults } from './faults.ts';
import type { WeightedRegion } from './weighted-region.ts';

/**
 * Where the atoms of a budget of weighted coefficients may stand: inside the input, the windows and the bands of the region. Undefined where there is no room, which leaves a
 * fault at `field`.
 */
export function weightedRegion(
  weighting: Weighting,
  region: attack.Region | undefined,
  { sampleRateHz, samples }: victim.WaveformSpecification,
  field: string,
  faults: Faults,
): WeightedRegion | undefined {
  const hop = hopOf(sampleRateHz);
  const positions = lappedPositions(samples, hop);
  const mask = freeSamples(region?.windows ?? [], { sampleRateHz, samples });
  const bins = Array.from({ length: hop }, (_, bin) => bin);
  const freeBins = freeFrequencies(region?.bands ?? [], bins, hop, sampleRateHz);
  const free = new Float32Array(positions * hop);
  for (let position = 1; (position + 1) * hop <= samples; position += 1) {
    const support = mask.subarray((position - 1) * hop, (position + 1) * hop);
    if (!support.includes(0)) for (const bin of freeBins) free[position * hop + bin] = 1;
  }
  if (!free.includes(1)) {
    const needed = (2 * hop) / sampleRateHz;
    const spacing = binFrequencyHz(1, hop, sampleRateHz) - binFrequencyHz(0, hop, sampleRateHz);
    faults.add(
      field,
      `leaves no room for weighted coefficients, which need ${needed} s and bands of ${spacing} Hz and more: widen the region`,
    );
    return undefined;
  }
  return { weighting, hop, atoms: Float32Array.from(cosineAtoms(hop, bins)), positions, free };
}
