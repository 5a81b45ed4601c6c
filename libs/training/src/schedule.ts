export const DECAYS = ['cosine', 'linear'] as const;
export type Decay = (typeof DECAYS)[number];

export interface ScheduleOptions {
  readonly peak: number;
  readonly warmUpSteps: number;
  readonly steps: number;
  /** How the rate falls after the warm-up; 'cosine' unless given. */
  readonly decay?: Decay;
}

/** Share of the peak that is left when this share of the descent is done. */
const LEFT: Readonly<Record<Decay, (done: number) => number>> = {
  cosine: (done) => (1 + Math.cos(Math.PI * done)) / 2,
  linear: (done) => 1 - done,
};

/**
 * Learning rate at a step (from 0): a linear warm-up to `peak`, then half a cosine (Loshchilov & Hutter, 2017) or a straight
 * line down to 0.
 */
export function learningRateAt(step: number, options: ScheduleOptions): number {
  const { peak, warmUpSteps, steps, decay = 'cosine' } = options;
  if (step < warmUpSteps) return (peak * (step + 1)) / warmUpSteps;
  const done = (step - warmUpSteps) / Math.max(1, steps - warmUpSteps);
  return peak * LEFT[decay](Math.min(1, done));
}
