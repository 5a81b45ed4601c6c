export interface ScheduleOptions {
  readonly peak: number;
  readonly warmUpSteps: number;
  readonly steps: number;
}

/** Learning rate at a step (from 0): a linear warm-up to `peak`, then half a cosine down to 0 (Loshchilov & Hutter, 2017). */
export function cosineSchedule(step: number, { peak, warmUpSteps, steps }: ScheduleOptions): number {
  if (step < warmUpSteps) return (peak * (step + 1)) / warmUpSteps;
  const done = (step - warmUpSteps) / Math.max(1, steps - warmUpSteps);
  return (peak * (1 + Math.cos(Math.PI * Math.min(1, done)))) / 2;
}
