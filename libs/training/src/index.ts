export { ADAMW_DEFAULTS, type AdamWOptions, adamwStep } from './adamw.ts';
export { ADVERSARY_DEFAULTS, type AdversaryOptions } from './adversary.ts';
export { BalancedSampler } from './balanced-sampling.ts';
export type { ModalityBudgets } from './budgets.ts';
export { type Checkpoint, CheckpointError, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
export { CounterRandom } from './counter-random.ts';
export type { GradientPenaltyOptions } from './gradient-penalty.ts';
export { initialise } from './initialise.ts';
export { binaryCrossEntropy, withLoss } from './loss.ts';
export { mixup } from './mixup.ts';
export type { OrthogonalHeadsOptions } from './orthogonal-heads.ts';
export { DECAYS, type Decay, learningRateAt, type ScheduleOptions } from './schedule.ts';
export { SPEC_AUGMENT_DEFAULTS, type SpecAugmentOptions } from './spec-augment.ts';
export { type StepReport, Trainer, type TrainerOptions, type TrainerState, type Treatments } from './trainer.ts';
export type { TrainingBatch } from './training-batch.ts';
export { trainingCurveSvg } from './training-curve.ts';
export {
  type CurvePoint,
  type RunProgress,
  runTraining,
  type TrainingRun,
  type TrainingRunOptions,
} from './training-run.ts';
