import { mkdir, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { buildVictim, type FeatureSpec, type VictimSpec, type Weights } from '@faultline/fusion';
import type { Tensor } from '@faultline/onnx';
import { type RunProgress, runTraining, Trainer, type TrainingBatch, type TrainingRun } from '@faultline/training';
import { type Arguments, commandOf } from './arguments.ts';
import { targetsFor } from './branch-targets.ts';
import { ExamplePool, POOL_CAPACITY } from './example-pool.ts';
import type { ExampleSource } from './example-sources.ts';
import { keptRun, readKeptRun, WEIGHTS_FILE } from './kept-run.ts';
import { exportedModel, figuresOf, type LabelledSet, logitsOf } from './labelled-set.ts';
import { momentCount, momentSpec, momentsIn } from './moments.ts';
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
  const { checkpoint, restart, run } = options.arguments;
  const { spec } = options;
  if (restart) await removeCheckpoints(options.arguments);
  await mkdir(dirname(checkpoint), { recursive: true });
  const first = await firstWeights(options);
  const whole = { steps: run.steps, peak: run.learningRate, checkpoint, moments: 1 };
  if (run.momentSteps === 0) return await trainPhase(options, { ...whole, first });
  if (!('frames' in spec)) throw new RangeError('--moment-steps: features have no moments to cut; leave it out');
  const moments = await trainPhase(options, {
    steps: run.momentSteps,
    peak: run.momentLearningRate,
    checkpoint: momentsCheckpoint(checkpoint),
    moments: momentCount(spec),
    first,
  });
  const clips = await trainPhase(options, { ...whole, first: moments.weights });
  return {
    ...clips,
    seconds: moments.seconds + clips.seconds,
    processorSeconds: moments.processorSeconds + clips.processorSeconds,
  };
}

/** Removes what an interrupted run would continue from. */
export async function removeCheckpoints({ checkpoint }: Pick<Arguments, 'checkpoint'>): Promise<void> {
  for (const path of [checkpoint, momentsCheckpoint(checkpoint)]) await rm(path, { force: true });
}

const momentsCheckpoint = (path: string): string => `${path}-moments`;

/** What a victim takes over from others. @throws RangeError when one of them has nothing for it. */
async function firstWeights({ spec, arguments: { init, seed } }: TrainOptions): Promise<Weights> {
  const { parameters, statistics } = buildVictim(spec);
  const shapes = new Map([
    ...parameters.map(({ name, shape }) => [name, shape.join()] as const),
    ...statistics.flatMap(({ mean, variance, channels }) =>
      [mean, variance].map((name) => [name, String(channels)] as const),
    ),
  ]);
  const taken = new Map<string, Tensor>();
  for (const name of init) {
    const { weights } = await readKeptRun(keptRun(name, seed, WEIGHTS_FILE));
    const fitting = [...weights].filter(([key, { dims }]) => shapes.get(key) === dims.join());
    if (fitting.length === 0) throw new RangeError(`--init: no weight of '${name}' fits this victim; leave it out`);
    for (const [key, tensor] of fitting) taken.set(key, tensor);
  }
  return taken;
}

interface Phase {
  readonly steps: number;
  /** Learning rate. */
  readonly peak: number;
  readonly checkpoint: string;
  /** Parts that clips are cut into; 1: whole clips. */
  readonly moments: number;
  readonly first: Weights;
}

async function trainPhase(options: TrainOptions, phase: Phase): Promise<TrainingRun> {
  const { seed, threads, checkpointSteps, run } = options.arguments;
  const { spec } = options;
  await using trainer = await Trainer.create({
    spec: 'frames' in spec && phase.moments > 1 ? momentSpec(spec) : spec,
    seed,
    first: phase.first,
    threads,
    executionProvider: run.provider,
    ...treatmentsOf(run),
  });
  return await runTraining(trainer, {
    schedule: { peak: phase.peak, warmUpSteps: run.warmUp, steps: phase.steps, decay: run.decay },
    batches: (fromStep) => batches(options, phase, fromStep),
    stepsPerReport: RECIPE.stepsPerReport,
    checkpoint: { path: phase.checkpoint, everySteps: checkpointSteps, identity: commandOf(options.arguments) },
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
async function* batches(
  { spec, examples, arguments: { seed, run } }: TrainOptions,
  { steps, moments }: Phase,
  fromStep: number,
): AsyncGenerator<TrainingBatch, void, void> {
  const { batchSize, freshPerStep, firstExamples } = RECIPE;
  const composed = firstExamples + fromStep * freshPerStep;
  const start = Math.max(0, Math.floor((composed - POOL_CAPACITY) / freshPerStep) * freshPerStep);
  const pool = new ExamplePool(seed, {
    first: start * moments,
    capacity: POOL_CAPACITY * moments,
    drawing: run.balanced ? 'balanced' : 'uniform',
    ...('frames' in spec ? { picture: spec.frames } : {}),
  });
  const count = firstExamples + steps * freshPerStep - start;
  for await (const fresh of examples({ start, count, batchSize: freshPerStep })) {
    pool.add(moments === 1 ? fresh : momentsIn(fresh, moments));
    const step = Math.floor((fresh.start + fresh.size - firstExamples) / freshPerStep) - 1;
    if (step < fromStep) continue;
    const batch = pool.draw(step, batchSize * moments);
    yield { ...batch, targets: targetsFor(spec.fusion, batch) };
  }
}
