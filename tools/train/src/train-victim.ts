import { exampleStream, LABELS } from '@faultline/dataset';
import { VICTIM_SPECS, type VictimName, type Weights } from '@faultline/fusion';
import { cosineSchedule, Trainer } from '@faultline/training';
import { ExamplePool } from './example-pool.ts';
import { exportedModel, type LabelledSet, type SwappedPrecision, swappedPrecision } from './labelled-set.ts';

/** One recipe for every fusion variant. */
export const RECIPE = {
  batchSize: 24,
  steps: 2400,
  warmUpSteps: 150,
  peakLearningRate: 2e-3,
  /** Newly composed examples a step; each is drawn about four times. */
  freshPerStep: 6,
  /** Examples composed before the first step. */
  firstExamples: 768,
  stepsPerEpoch: 400,
} as const;

export interface TrainOptions {
  readonly name: VictimName;
  readonly seed: number;
  readonly packDir: string;
  readonly threads: number;
  readonly steps: number;
  readonly validation: LabelledSet;
  readonly onEpoch: (epoch: EpochReport) => void;
  readonly onProgress: (progress: Progress) => void;
}

export interface Progress {
  readonly step: number;
  readonly steps: number;
  /** Mean since the last report. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly elapsedMs: number;
}

export interface EpochReport {
  readonly step: number;
  /** Validation mAP when nothing, the sound or the pictures come from another clip. */
  readonly validation: SwappedPrecision;
}

const STEPS_PER_REPORT = 100;

/** Trains one victim. Same seed, thread count, pack and machine type: same weights, bit for bit. */
export async function trainVictim(options: TrainOptions): Promise<Weights> {
  const { name, seed, packDir, threads, steps, validation } = options;
  const spec = VICTIM_SPECS[name];
  if (spec.labels !== LABELS.length) {
    throw new RangeError(`victim '${name}' has ${spec.labels} labels, the data set ${LABELS.length}`);
  }
  const { batchSize, freshPerStep, firstExamples } = RECIPE;
  await using trainer = await Trainer.create({ spec, seed, threads });
  const pool = new ExamplePool(seed, spec.frames);
  const count = firstExamples + steps * freshPerStep;
  const fresh = exampleStream({ packDir, split: 'train', seed, batchSize: freshPerStep, count });
  const started = performance.now();
  let losses = 0;
  let added = 0;
  for await (const examples of fresh) {
    pool.add(examples);
    added += examples.size;
    if (added <= firstExamples) continue;
    const step = trainer.steps;
    const learningRate = cosineSchedule(step, {
      peak: RECIPE.peakLearningRate,
      warmUpSteps: RECIPE.warmUpSteps,
      steps,
    });
    const report = await trainer.step(pool.draw(step, batchSize), learningRate);
    losses += report.loss;
    if (trainer.steps % STEPS_PER_REPORT === 0) {
      const { gradientNorm } = report;
      const elapsedMs = performance.now() - started;
      options.onProgress({ step: trainer.steps, steps, loss: losses / STEPS_PER_REPORT, gradientNorm, elapsedMs });
      losses = 0;
    }
    if (trainer.steps % RECIPE.stepsPerEpoch === 0 || trainer.steps === steps) {
      const model = exportedModel(spec, trainer.weights());
      options.onEpoch({ step: trainer.steps, validation: await swappedPrecision(model, spec, validation, threads) });
    }
  }
  return trainer.weights();
}
