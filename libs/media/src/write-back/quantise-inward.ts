/** The evenly spaced values that a file can hold: level / steps, levels from `low` to `high`. */
export interface Grid {
  readonly steps: number;
  readonly low: number;
  readonly high: number;
}

export const GRIDS = {
  /** Sound: 16-bit PCM; one step is 1/32768 of full scale. */
  waveform: { steps: 32_768, low: -32_768, high: 32_767 },
  /** Pictures: 8-bit pixels; one step is 1/255 of full brightness. */
  frames: { steps: 255, low: 0, high: 255 },
} as const satisfies Readonly<Record<string, Grid>>;

/** Levels of a clean point and of what is left of its perturbation. */
export interface QuantisedPair {
  /** The clean point, rounded to the nearest level: what a file of the clean clip holds. */
  readonly clean: Int32Array;
  readonly adversarial: Int32Array;
}

/**
 * A perturbation this much short of a whole step counts as whole, in the unit of the values: attacks keep their distance from a budget of
 * whole steps (8/255) by some float32 roundings near 1, each 2^-24.
 */
export const FLOAT32_SLACK = 2 ** -21;

/**
 * Puts an adversarial point on a grid, towards the clean one: per coordinate the level nearest to the adversarial value that is no farther from the clean
 * level, and from the clean value, than the adversarial value is from the clean value. So no norm of (adversarial - clean) in levels, L0 included, exceeds that of
 * the perturbation, and what the perturbation leaves alone stays alone. A coordinate perturbed by less than a step may stay clean altogether.
 *
 * Clean pixels lie on their grid; sound decoded from a lossy file does not, and is rounded: by half a step, which no file avoids.
 *
 * @param slack what a perturbation may fall short of a whole step that is granted (`FLOAT32_SLACK`); 0: the bound above holds to the last bit.
 * @throws RangeError when the lengths differ.
 */
export function quantiseInward(
  clean: Float32Array,
  adversarial: Float32Array,
  { steps, low, high }: Grid,
  slack: number,
): QuantisedPair {
  if (clean.length !== adversarial.length) {
    throw new RangeError(`the adversarial point has ${adversarial.length} values but its clean point ${clean.length}`);
  }
  const within = (level: number) => Math.max(low, Math.min(high, level));
  const pair = { clean: new Int32Array(clean.length), adversarial: new Int32Array(clean.length) };
  for (let index = 0; index < clean.length; index++) {
    const value = (clean[index] ?? 0) * steps;
    const level = within(Math.round(value));
    const moved = ((adversarial[index] ?? 0) - (clean[index] ?? 0)) * steps;
    const direction = Math.sign(moved);
    // From the level and from the value itself, which lies up to half a step before or behind it.
    const room = Math.abs(moved) + Math.min(0, direction * (value - level)) + slack * steps;
    pair.clean[index] = level;
    pair.adversarial[index] = within(level + direction * Math.max(0, Math.floor(room)));
  }
  return pair;
}
