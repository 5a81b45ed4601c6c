import { setImmediate } from 'node:timers/promises';
import type { Weights } from '@faultline/fusion';
import type { Tensor } from '@faultline/onnx';
import { CheckpointError, readCheckpoint, writeCheckpoint } from './checkpoint.ts';
import { afterValidation, NO_VALIDATION, type ValidationRecord } from './early-stopping.ts';
import { learningRateAt, type ScheduleOptions } from './schedule.ts';
import type { Trainer } from './trainer.ts';
import type { TrainingBatch } from './training-batch.ts';

/** A point of the training curve. */
export interface CurvePoint {
  readonly step: number;
  /** Mean since the point before. */
  readonly loss: number;
  readonly learningRate: number;
  /** Validation figure, where one was taken at this step. */
  readonly validation?: number;
}

export interface RunProgress {
  readonly step: number;
  readonly steps: number;
  readonly loss: number;
  readonly gradientNorm: number;
  /** By the pace since the start or the resumption. */
  readonly remainingSeconds: number;
}

export interface TrainingRunOptions {
  readonly schedule: ScheduleOptions;
  /** Batches from a step on; the batch of a step must not depend on where the run began. */
  readonly batches: (fromStep: number) => AsyncIterable<TrainingBatch>;
  /** Steps between two points of the curve, which are also reported. */
  readonly stepsPerReport: number;
  readonly checkpoint?: {
    readonly path: string;
    readonly everySteps: number;
    /** All that decides the run, as text: a checkpoint of another run is refused. */
    readonly identity: string;
  };
  readonly validation?: {
    readonly everySteps: number;
    /** A figure to raise, such as the mAP. */
    readonly figure: (weights: Weights, step: number) => Promise<number>;
    /** Validations without a better figure after which the run ends with the best weights; none: all steps, the last weights. */
    readonly patience?: number;
  };
  readonly onResume?: (step: number) => void;
  readonly onProgress?: (progress: RunProgress) => void;
}

export interface TrainingRun {
  /** The best weights where early stopping is on, otherwise the last. */
  readonly weights: Weights;
  /** Step that the weights are of. */
  readonly step: number;
  readonly curve: readonly CurvePoint[];
  /** Time that passed, over all resumptions. */
  readonly seconds: number;
  /** Time that the process's threads computed, over all resumptions: what a run costs, whatever else the machine does. */
  readonly processorSeconds: number;
}

interface Ledger {
  readonly identity: string;
  readonly curve: readonly CurvePoint[];
  readonly lossSum: number;
  readonly lossCount: number;
  readonly record: Omit<ValidationRecord, 'best'> & { readonly best: number | null };
  readonly stopped: boolean;
  readonly seconds: number;
  readonly processorSeconds: number;
}

const BEST = 'best/';

/**
 * Trains to the schedule's end, or until validation stops it. With a checkpoint file, a run that was killed continues from its
 * last checkpoint and ends with the same weights, bit for bit, as one that was not.
 * @throws CheckpointError when the file is damaged, or of a run with other options.
 */
export async function runTraining(trainer: Trainer, options: TrainingRunOptions): Promise<TrainingRun> {
  const { schedule, checkpoint, validation, stepsPerReport } = options;
  let curve: CurvePoint[] = [];
  let record: ValidationRecord = NO_VALIDATION;
  let [lossSum, lossCount, secondsBefore, processorBefore, stopped] = [0, 0, 0, 0, false];
  let best: ReadonlyMap<string, Tensor> | undefined;

  const found = checkpoint && (await readCheckpoint(checkpoint.path));
  if (checkpoint && found) {
    const ledger = found.metadata as Ledger & { readonly steps: number };
    if (ledger.identity !== checkpoint.identity) {
      throw new CheckpointError(
        `${checkpoint.path} is of a run with other options (${ledger.identity}); this one has ${checkpoint.identity}: ` +
          'give the same options, or remove the file to begin anew',
      );
    }
    const all = [...found.tensors];
    trainer.restore({ steps: ledger.steps, tensors: new Map(all.filter(([name]) => !name.startsWith(BEST))) });
    const kept = all.filter(([name]) => name.startsWith(BEST));
    if (kept.length > 0) best = new Map(kept.map(([name, tensor]) => [name.slice(BEST.length), tensor]));
    curve = [...ledger.curve];
    record = { ...ledger.record, best: ledger.record.best ?? NO_VALIDATION.best };
    ({ lossSum, lossCount, stopped } = ledger);
    [secondsBefore, processorBefore] = [ledger.seconds, ledger.processorSeconds];
    options.onResume?.(ledger.steps);
  }
  const startedAt = performance.now();
  const firstStep = trainer.steps;
  const processorAt = process.cpuUsage();
  const seconds = () => secondsBefore + (performance.now() - startedAt) / 1000;
  const processorSeconds = () => {
    const { user, system } = process.cpuUsage(processorAt);
    return processorBefore + (user + system) / 1e6;
  };
  const save = async (path: string, identity: string): Promise<void> => {
    const { steps, tensors } = trainer.state();
    const kept = Array.from(best ?? [], ([name, tensor]) => [`${BEST}${name}`, tensor] as const);
    const known = { ...record, best: Number.isFinite(record.best) ? record.best : null };
    const time = { seconds: seconds(), processorSeconds: processorSeconds() };
    const ledger: Ledger = { identity, curve, lossSum, lossCount, record: known, stopped, ...time };
    await writeCheckpoint(path, { tensors: new Map([...tensors, ...kept]), metadata: { ...ledger, steps } });
  };

  if (!stopped && trainer.steps < schedule.steps) {
    for await (const batch of options.batches(trainer.steps)) {
      const learningRate = learningRateAt(trainer.steps, schedule);
      const { loss, gradientNorm } = await trainer.step(batch, learningRate);
      if (!Number.isFinite(loss)) {
        throw new RangeError(
          `the loss became ${loss} at step ${trainer.steps}; lower the learning rate or the regularisers' weights`,
        );
      }
      const { steps: step } = trainer;
      const last = step >= schedule.steps;
      lossSum += loss;
      lossCount += 1;
      const due = validation !== undefined && (step % validation.everySteps === 0 || last);
      const figure = due ? await validation.figure(trainer.weights(), step) : undefined;
      if (validation && figure !== undefined) {
        record = afterValidation(record, step, figure);
        if (validation.patience !== undefined) {
          if (record.since === 0) best = trainer.weights();
          stopped = record.since >= validation.patience;
        }
      }
      if (step % stepsPerReport === 0 || figure !== undefined || last) {
        const mean = lossSum / lossCount;
        curve.push({ step, loss: mean, learningRate, ...(figure === undefined ? {} : { validation: figure }) });
        [lossSum, lossCount] = [0, 0];
        const pace = (performance.now() - startedAt) / 1000 / (step - firstStep);
        const remainingSeconds = pace * (schedule.steps - step);
        options.onProgress?.({ step, steps: schedule.steps, loss: mean, gradientNorm, remainingSeconds });
      }
      if (checkpoint && (step % checkpoint.everySteps === 0 || last || stopped)) {
        await save(checkpoint.path, checkpoint.identity);
      }
      if (stopped || last) break;
      // Steps block the thread: signals and messages of workers get their turn between them.
      await setImmediate();
    }
  }
  return {
    weights: best ?? trainer.weights(),
    step: best === undefined ? trainer.steps : record.bestStep,
    curve,
    seconds: seconds(),
    processorSeconds: processorSeconds(),
  };
}
