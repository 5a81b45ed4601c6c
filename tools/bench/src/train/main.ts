import { parseArgs } from 'node:util';
import { VICTIM_NAMES, VICTIM_SPECS, type VictimName } from '@faultline/fusion';
import {
  ADVERSARY_DEFAULTS,
  SPEC_AUGMENT_DEFAULTS,
  Trainer,
  type TrainingBatch,
  type Treatments,
} from '@faultline/training';

// `npm run bench:train`: training steps on one batch in memory, without the composing of clips. Treatments take turns, so that
// what else the machine does hits all of them alike; the ratios to a plain step are the figures to quote.

const BATCH = 24;
const SPEC: VictimName = 'late';
const budgets = { waveform: 2e-3, frames: 4 / 255 };

const TREATMENTS: Readonly<Record<string, Treatments>> = {
  plain: {},
  'SpecAugment, mixup': { specAugment: SPEC_AUGMENT_DEFAULTS, mixup: 0.2 },
  'adversarial, 3 steps': { adversary: { ...ADVERSARY_DEFAULTS, budgets } },
  'gradient penalty': { gradientPenalty: { weight: 1, budgets } },
};

const { values } = parseArgs({
  options: {
    spec: { type: 'string', default: SPEC },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '4' },
  },
});
const name = VICTIM_NAMES.find((known) => known === values.spec);
if (name === undefined) throw new RangeError(`--spec is '${values.spec}'; give ${VICTIM_NAMES.join(', ')}`);
const [threads, rounds, steps] = [Number(values.threads), Number(values.rounds), Number(values.steps)];
const spec = VICTIM_SPECS[name];

function syntheticBatch(): TrainingBatch {
  const { samples } = spec.waveform;
  const pixels = spec.frames.frames * 3 * spec.frames.height * spec.frames.width;
  // Weyl sequences: values without structure that a branch could be quick on.
  const spread = (count: number, low: number) =>
    Float32Array.from({ length: count }, (_, at) => low + ((at * 0.618034) % 1));
  const targets = Float32Array.from({ length: BATCH * spec.labels }, (_, at) => Number(at % 9 === 0));
  return {
    size: BATCH,
    inputs: { waveform: spread(BATCH * samples, -0.5), frames: spread(BATCH * pixels, 0) },
    targets,
    audioTargets: targets,
    visualTargets: targets,
  };
}

const batch = syntheticBatch();
const trainers = new Map<string, Trainer>();
for (const [title, treatments] of Object.entries(TREATMENTS)) {
  const trainer = await Trainer.create({ spec, seed: 1, threads, ...treatments });
  // The first step allocates.
  await trainer.step(batch, 1e-4);
  trainers.set(title, trainer);
}
const seconds = new Map<string, number[]>();
for (let round = 0; round < rounds; round++) {
  for (const [title, trainer] of trainers) {
    const started = performance.now();
    for (let step = 0; step < steps; step++) await trainer.step(batch, 1e-4);
    const taken = (performance.now() - started) / 1000 / steps;
    seconds.set(title, [...(seconds.get(title) ?? []), taken]);
  }
}
const median = (sorted: readonly number[]): number => sorted[sorted.length >> 1] ?? Number.NaN;
const medianOf = (title: string): number => median([...(seconds.get(title) ?? [])].sort((a, b) => a - b));
console.log(`${name}, ${threads} thread(s), batches of ${BATCH}; medians of ${rounds} rounds of ${steps} steps`);
for (const title of trainers.keys()) {
  const taken = medianOf(title);
  const rate = (BATCH / taken).toFixed(1).padStart(7);
  console.log(`${title.padEnd(22)} ${rate} clips/s  ${(taken / medianOf('plain')).toFixed(2)} x a plain step`);
}
for (const trainer of trainers.values()) await trainer[Symbol.asyncDispose]();
