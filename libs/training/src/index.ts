export { ADAMW_DEFAULTS, type AdamWOptions, adamwStep } from './adamw.ts';
export { CounterRandom } from './counter-random.ts';
export { initialise } from './initialise.ts';
export { binaryCrossEntropy, withLoss } from './loss.ts';
export { cosineSchedule, type ScheduleOptions } from './schedule.ts';
export { type StepReport, Trainer, type TrainerOptions, type TrainingBatch } from './trainer.ts';
