import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { exampleStream, LABELS } from '@faultline/dataset';
import type { VictimSpec } from '@faultline/fusion';
import { type RunProgress, runTraining, Trainer, type TrainingBatch, type TrainingRun } from '@faultline/training';
import { type Arguments, commandOf } from './arguments.ts';
import { targetsFor } from './branch-targets.ts';
import { ExamplePool, POOL_CAPACITY } from './example-pool.ts';
import { exportedModel, type LabelledSet, type SwappedPrecision, swappedPrecision } from './labelled-set.ts';
import { RECIPE, treatmentsOf } from './recipe.ts';

export interface TrainOptions {
  readonly arguments: Arguments;
  readonly spec: VictimSpec;
  readonly validation: LabelledSet;
  readonly onEpoch: (epoch: EpochReport) => void;
  readonly onProgress: (progress: RunProgress) => void;
  readonly onResume: (step: number) => void;
}

export interface EpochReport {
  readonly step: number;
  /** Validation mAP, also with another clip's sound, or pictures. */
  readonly validation: SwappedPrecision;
}

/**
 * Trains one victim, from its checkpoint where there is one. Same options, seed, thread count, pack and machine type: same
 * weights, bit for bit, however often the run was interrupted.
 */
export async function trainVictim(options: TrainOptions): Promise<TrainingRun> {
  const { seed, threads, checkpoint, checkpointSteps, restart, run } = options.arguments;
  const { spec } = options;
  if (spec.labels !== LABELS.length) {
    throw new RangeError(`'${options.arguments.spec}' has ${spec.labels} labels, the data set ${LABELS.length}`);
  }
  if (restart) await rm(checkpoint, { force: true });
  await mkdir(dirname(checkpoint), { recursive: true });
  await using trainer = await Trainer.create({
    spec,
    seed,
    threads,
    executionProvider: run.provider,
    ...treatmentsOf(run),
  });
  return await runTraining(trainer, {
    schedule: { peak: run.learningRate, warmUpSteps: run.warmUp, steps: run.steps, decay: run.decay },
    batches: (fromStep) => batches(options, fromStep),
    stepsPerReport: RECIPE.stepsPerReport,
    checkpoint: { path: checkpoint, everySteps: checkpointSteps, identity: commandOf(options.arguments) },
    validation: {
      everySteps: RECIPE.stepsPerEpoch,
      ...(run.patience > 0 ? { patience: run.patience } : {}),
      figure: async (weights, step) => {
        const model = exportedModel(spec, weights);
        const validation = await swappedPrecision(model, spec, options.validation, threads);
        options.onEpoch({ step, validation });
        return validation.none;
      },
    },
    onResume: options.onResume,
    onProgress: options.onProgress,
  });
}

/** The batches of all steps from one on; the pool is filled again with what it held then. */
async function* batches(options: TrainOptions, fromStep: number): AsyncGenerator<TrainingBatch, void, void> {
  const { spec } = options;
  const { seed, packDir, run } = options.arguments;
  const { batchSize, freshPerStep, firstExamples } = RECIPE;
  const composed = firstExamples + fromStep * freshPerStep;
  const start = Math.max(0, Math.floor((composed - POOL_CAPACITY) / freshPerStep) * freshPerStep);
  const pool = new ExamplePool(seed, spec.frames, {
    first: start,
    drawing: run.balanced ? 'balanced' : 'uniform',
  });
  const count = firstExamples + run.steps * freshPerStep - start;
  for await (const examples of exampleStream({
    packDir,
    split: 'train',
    seed,
    batchSize: freshPerStep,
    start,
    count,
  })) {
    pool.add(examples);
    const step = Math.floor((examples.start + examples.size - firstExamples) / freshPerStep) - 1;
    if (step < fromStep) continue;
    const batch = pool.draw(step, batchSize);
    yield { ...batch, targets: targetsFor(spec.fusion, batch) };
  }
}
