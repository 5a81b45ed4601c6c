import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { FeatureSpec, VictimSpec } from '@faultline/fusion';
import { type RunProgress, runTraining, Trainer, type TrainingBatch, type TrainingRun } from '@faultline/training';
import { type Arguments, commandOf } from './arguments.ts';
import { targetsFor } from './branch-targets.ts';
import { ExamplePool, POOL_CAPACITY } from './example-pool.ts';
import type { ExampleSource } from './example-sources.ts';
import { exportedModel, figuresOf, type LabelledSet, logitsOf } from './labelled-set.ts';
import { RECIPE, treatmentsOf } from './recipe.ts';

export interface TrainOptions {
  readonly arguments: Arguments;
  readonly spec: VictimSpec | FeatureSpec;
  readonly examples: ExampleSource;
  readonly validation: LabelledSet;
  readonly onEpoch: (epoch: EpochReport) => void;
  readonly onProgress: (progress: RunProgress) => void;
  readonly onResume: (step: number) => void;
}

export interface EpochReport {
  readonly step: number;
  /** mAP on the validation clips. */
  readonly validation: number;
}

/**
 * Trains one victim, from its checkpoint where there is one. Same options, seed, thread count, examples and machine type: same
 * weights, bit for bit, however often the run was interrupted.
 */
export async function trainVictim(options: TrainOptions): Promise<TrainingRun> {
  const { seed, threads, checkpoint, checkpointSteps, restart, run } = options.arguments;
  const { spec } = options;
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
        const logits = await logitsOf(model, spec, options.validation, { threads });
        const validation = figuresOf(options.validation, logits).meanAveragePrecision;
        if (validation === null) throw new RangeError('no validation clip has a label; give others');
        options.onEpoch({ step, validation });
        return validation;
      },
    },
    onResume: options.onResume,
    onProgress: options.onProgress,
  });
}

/** The batches of all steps from one on; the pool is filled again with what it held then. */
async function* batches(options: TrainOptions, fromStep: number): AsyncGenerator<TrainingBatch, void, void> {
  const { spec, examples } = options;
  const { seed, run } = options.arguments;
  const { batchSize, freshPerStep, firstExamples } = RECIPE;
  const composed = firstExamples + fromStep * freshPerStep;
  const start = Math.max(0, Math.floor((composed - POOL_CAPACITY) / freshPerStep) * freshPerStep);
  const pool = new ExamplePool(seed, {
    first: start,
    drawing: run.balanced ? 'balanced' : 'uniform',
    ...('frames' in spec ? { picture: spec.frames } : {}),
  });
  const count = firstExamples + run.steps * freshPerStep - start;
  for await (const fresh of examples({ start, count, batchSize: freshPerStep })) {
    pool.add(fresh);
    const step = Math.floor((fresh.start + fresh.size - firstExamples) / freshPerStep) - 1;
    if (step < fromStep) continue;
    const batch = pool.draw(step, batchSize);
    yield { ...batch, targets: targetsFor(spec.fusion, batch) };
  }
}
