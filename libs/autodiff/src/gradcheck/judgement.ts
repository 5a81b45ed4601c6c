/** Differences of a function along a line, at one step. */
export interface Difference {
  readonly step: number;
  /** (f(step) - f(-step)) / 2 step */
  readonly central: number;
  /** (f(step) - f(0)) / step */
  readonly forward: number;
  /** (f(0) - f(-step)) / step */
  readonly backward: number;
}

/** What differences say of a derivative: it agrees, it does not, or rounding and kinks leave it open. */
export type Outcome = 'agrees' | 'disagrees' | 'inconclusive';

/** How an outcome was found. */
export type Evidence = 'central differences' | 'one-sided differences' | 'integral of the derivative';

export interface Judgement {
  readonly outcome: Outcome;
  readonly evidence: Evidence;
  /** The derivative that the differences give at the step where they are steadiest. */
  readonly numeric: number;
  readonly step: number;
  /** How far the differences at the neighbouring steps lie apart: rounding, curvature and kinks together. */
  readonly uncertainty: number;
  /** |derivative - numeric| over the larger of the two (0 where both are 0). */
  readonly relativeError: number;
}

export const relativeError = (a: number, b: number): number => {
  const size = Math.max(Math.abs(a), Math.abs(b));
  return size === 0 ? 0 : Math.abs(a - b) / size;
};

const neighboursOf = (differences: readonly Difference[], difference: Difference): Difference[] => {
  const at = differences.indexOf(difference);
  return [differences[at - 1], differences[at + 1]].filter((other) => other !== undefined);
};

/** The difference whose neighbours agree with it best; chosen without a look at what is to be checked. */
function steadiest(differences: readonly Difference[]): { difference: Difference; uncertainty: number } | undefined {
  const usable = differences.filter(({ central }) => Number.isFinite(central));
  const rated = usable.flatMap((difference, i) => {
    const neighbours = [usable[i - 1], usable[i + 1]].flatMap((other) => (other === undefined ? [] : [other.central]));
    if (neighbours.length === 0) return [];
    return [{ difference, uncertainty: Math.max(...neighbours.map((other) => Math.abs(other - difference.central))) }];
  });
  // The ends of the ladder have one neighbour alone, which may agree by chance.
  const inner = rated.length > 2 ? rated.slice(1, -1) : rated;
  return inner.toSorted((a, b) => a.uncertainty - b.uncertainty)[0];
}

/**
 * Judges a derivative at a point by differences at several steps, largest first.
 *
 * Where the function has a kink at the point itself, the one-sided differences stay apart at every step; a derivative
 * between them is one of the function's generalised gradients (Clarke) and agrees.
 */
export function judge(
  derivative: number,
  differences: readonly Difference[],
  tolerance: number,
  scale: number,
): Judgement {
  const best = steadiest(differences);
  if (best === undefined) {
    const nothing = { numeric: Number.NaN, step: Number.NaN, uncertainty: Number.NaN, relativeError: Number.NaN };
    return { outcome: 'inconclusive', evidence: 'central differences', ...nothing };
  }
  const { difference, uncertainty } = best;
  const { central, forward, backward, step } = difference;
  const size = Math.max(Math.abs(central), Math.abs(derivative), scale);
  const error = Math.abs(central - derivative);
  const common = { numeric: central, step, uncertainty, relativeError: size === 0 ? 0 : error / size };
  const byCentral = (outcome: Outcome): Judgement => ({ outcome, evidence: 'central differences', ...common });
  if (error <= tolerance * size) return byCentral('agrees');
  const [low, high] = [Math.min(forward, backward), Math.max(forward, backward)];
  // At a kink the sides stay apart and each is steady; rounding throws them about.
  const isSteady = (side: 'forward' | 'backward') =>
    neighboursOf(differences, difference).every((other) => Math.abs(other[side] - difference[side]) < (high - low) / 4);
  const isKink = high - low > tolerance * size && isSteady('forward') && isSteady('backward');
  if (isKink && derivative >= low - tolerance * size && derivative <= high + tolerance * size)
    return { outcome: 'agrees', evidence: 'one-sided differences', ...common };
  return byCentral(error > 4 * uncertainty ? 'disagrees' : 'inconclusive');
}
