/** A direction in which a variable is moved; its root mean square is 1. */
export interface Direction {
  /** 'gradient', 'gradient, half the elements' or 'random'. */
  readonly name: string;
  readonly values: Float64Array;
}

/** Numbers in [0, 1) from a seed (mulberry32, public domain, T. Ettinger). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const rootMeanSquare = (values: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += (values[i] ?? 0) ** 2;
  return Math.sqrt(sum / Math.max(1, values.length));
};

function normalised(name: string, values: Float64Array): Direction[] {
  const size = rootMeanSquare(values);
  return size > 0 && Number.isFinite(size) ? [{ name, values: values.map((value) => value / size) }] : [];
}

/**
 * Directions for one variable: along the gradient, where rounding hides least; along the gradient on random halves of the
 * elements, where errors that cancel along the whole show; and random ones, which see elements whose gradient is wrongly 0.
 */
export function directionsOf(gradient: Float64Array, count: number, seed: number): Direction[] {
  const next = randomNumbers(seed);
  const halves = Array.from({ length: Math.ceil(Math.max(0, count - 1) / 2) }, () =>
    normalised(
      'gradient, half the elements',
      gradient.map((value) => (next() < 0.5 ? value : 0)),
    ),
  );
  const random = Array.from({ length: Math.max(1, Math.floor(Math.max(0, count - 1) / 2)) }, () =>
    normalised(
      'random',
      gradient.map(() => (next() < 0.5 ? -1 : 1)),
    ),
  );
  return [normalised('gradient', gradient), ...halves, ...random].flat();
}
