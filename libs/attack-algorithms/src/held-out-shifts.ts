import type { attack } from '@faultline/contracts';
import { seededRandom } from '@faultline/metrics';
import { largestShift } from './shift-tolerance.ts';
import type { ShiftFill } from './time-shift.ts';

/** Onsets on which a point of an attack over shifts is tried, beside those that the attack drew. */
export const HELD_OUT_ONSETS = 16;

/** Shifts that an attack was asked to bear. */
export interface AskedShifts {
  /** Largest shift either way, as a share of the sound's length. */
  readonly share: number;
  readonly fill: ShiftFill;
}

/** What a threat model's parameters say of shifts; undefined where they ask for none. */
export function askedShifts({ parameters }: attack.ThreatModel): AskedShifts | undefined {
  const given = (name: string) => parameters.find((one) => one.name === name)?.value;
  const share = given('shift_share');
  const fill = given('shift_fill');
  if (share?.$case !== 'number' || share.value === 0) return undefined;
  return { share: share.value, fill: fill?.$case === 'choice' && fill.value === 'silence' ? 'silence' : 'circular' };
}

/** Bits of a digest that make the seed of its clip's onsets. */
const SEED_DIGITS = 12;

/** Shifts of a sound of so many samples, in samples, that the digest of its clip decides alone: no attack has drawn them, whatever its seed. */
export function heldOutShifts(clipSha256: string, { share }: AskedShifts, samples: number): number[] {
  const random = seededRandom(Number.parseInt(clipSha256.slice(0, SEED_DIGITS), 16));
  const most = largestShift(share, samples);
  return Array.from({ length: HELD_OUT_ONSETS }, () => Math.round((2 * random() - 1) * most));
}

/** A sound heard from `shift` on: position i holds what stood at i + shift. */
export function shiftSound(sound: Float32Array, shift: number, fill: ShiftFill): Float32Array {
  const { length } = sound;
  return sound.map((_, position) => {
    const from = position + shift;
    if (fill === 'silence' && (from < 0 || from >= length)) return 0;
    return sound[(from + length) % length] ?? 0;
  });
}
