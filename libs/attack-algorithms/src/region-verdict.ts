import type { attack, victim } from '@faultline/contracts';
import type { BandRegion } from './band-region.ts';
import { checkRegion, type FreeRegion } from './check-region.ts';
import { AttackRequestError, Faults } from './faults.ts';

/** Share of a perturbation's length that may lie outside its band: what float32 leaves of a projection, with some to spare. */
const BAND_SHARE = 1e-3;

/** Rounding of x0 + delta to float32, as a share of full scale, in each coordinate. */
const ROUNDING = 2 ** -24;

/** Ends of a waveform's range, where a perturbation is clipped and may leave its band. */
const FULL_SCALE = 1;

/**
 * Whether a point changes anything that its region does not free, by the region's definition and in float64. Masks (time, frames, boxes) are exact. Of a band
 * what lies outside is measured; where the range clips, only that nothing changes beyond the reach of its atoms.
 * @param point, clean values of one example, row-major.
 * @throws AttackRequestError for a region that does not fit the input.
 */
export function leavesRegion(
  region: attack.Region,
  input: victim.InputSpecification,
  point: Float32Array,
  clean: Float32Array,
): boolean {
  const { mask, band } = freeRegion(region, input);
  if (mask !== undefined) return point.some((value, index) => mask[index] === 0 && value !== clean[index]);
  return band !== undefined && leavesBand(band, point, clean);
}

/** The latest regions that were asked for: every candidate of a run asks for the same ones. */
const known = new WeakMap<attack.Region, WeakMap<victim.InputSpecification, FreeRegion>>();

function freeRegion(region: attack.Region, input: victim.InputSpecification): FreeRegion {
  const ofRegion = known.get(region) ?? new WeakMap<victim.InputSpecification, FreeRegion>();
  const kept = ofRegion.get(input);
  if (kept !== undefined) return kept;
  const faults = new Faults();
  const free = checkRegion(region, input, 'region', faults);
  if (free === undefined) throw new AttackRequestError(faults.violations);
  known.set(region, ofRegion.set(input, free));
  return free;
}

function leavesBand(band: BandRegion, point: Float32Array, clean: Float32Array): boolean {
  const { hop, free } = band;
  const delta = Float64Array.from(point, (value, index) => value - (clean[index] ?? Number.NaN));
  const reach = new Uint8Array(point.length);
  for (const [position, isFree] of free.entries()) {
    if (isFree === 1) reach.fill(1, position * hop, (position + 2) * hop);
  }
  if (delta.some((value, index) => value !== 0 && reach[index] === 0)) return true;
  if (point.some((value) => Math.abs(value) === FULL_SCALE)) return false;
  const inside = ontoBand(band, delta);
  let [outside, length, rounding] = [0, 0, 0];
  for (const [index, value] of delta.entries()) {
    outside += (value - (inside[index] ?? 0)) ** 2;
    length += value ** 2;
    rounding += (ROUNDING * (Math.abs(clean[index] ?? 0) + Math.abs(value))) ** 2;
  }
  return !(Math.sqrt(outside) <= BAND_SHARE * Math.sqrt(length) + Math.sqrt(rounding));
}

/** The orthogonal projection of a waveform onto a band, in float64: see band-projection.ts for that of the programs. */
function ontoBand({ hop, atoms, bins, free }: BandRegion, vector: Float64Array): Float64Array {
  const sum = new Float64Array(vector.length);
  for (const [position, isFree] of free.entries()) {
    if (isFree !== 1) continue;
    const start = position * hop;
    const coefficients = new Float64Array(bins);
    for (let n = 0; n < 2 * hop; n += 1) {
      const value = vector[start + n] ?? 0;
      if (value === 0) continue;
      for (let bin = 0; bin < bins; bin += 1) {
        coefficients[bin] = (coefficients[bin] ?? 0) + value * (atoms[n * bins + bin] ?? 0);
      }
    }
    for (let n = 0; n < 2 * hop; n += 1) {
      let value = 0;
      for (let bin = 0; bin < bins; bin += 1) value += (coefficients[bin] ?? 0) * (atoms[n * bins + bin] ?? 0);
      sum[start + n] = (sum[start + n] ?? 0) + value;
    }
  }
  return sum;
}
