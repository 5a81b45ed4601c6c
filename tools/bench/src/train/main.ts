import { parseArgs } from 'node:util';
import { VICTIM_NAMES, VICTIM_SPECS, type VictimName } from '@faultline/fusion';
import {
  ADVERSARY_DEFAULTS,
  SPEC_AUGMENT_DEFAULTS,
  Trainer,
  type TrainingBatch,
  type Treatments,
} from '@faultline/training';
import { median } from '../timing.ts';
import { disagreement, runTwin, startTwin, type TwinOptions } from './training-twin.ts';

const USAGE = `Training steps on one batch in memory, without the composing of clips. Treatments take turns, so that what else the machine does
hits all of them alike; the ratios to a plain step are the figures to quote.

  npm run bench:train -- [--json] [--spec NAME] [--threads N] [--rounds N] [--steps N] [--python PATH]

  --spec NAME    ${VICTIM_NAMES.join(', ')} (late)
  --threads N    threads of a step (2)
  --rounds N     turns of each treatment (5)
  --steps N      steps of a turn (4)
  --python PATH  an interpreter with PyTorch (tools/bench/peers): the same network there takes turns with ours`;

const BATCH = 24;
const SPEC: VictimName = 'late';
const SEED = 1;
const LEARNING_RATE = 1e-4;
const PLAIN = 'plain';
const TWIN = 'PyTorch, plain';
/** The share of PyTorch's throughput that is wanted. */
const TARGET = 0.6;
/** Relative difference of losses and gradient norms above which the twin is no twin. */
const TOLERANCE = 1e-4;
const budgets = { waveform: 2e-3, frames: 4 / 255 };

const TREATMENTS: Readonly<Record<string, Treatments>> = {
  [PLAIN]: {},
  'SpecAugment, mixup': { specAugment: SPEC_AUGMENT_DEFAULTS, mixup: 0.2 },
  'adversarial, 3 steps': { adversary: { ...ADVERSARY_DEFAULTS, budgets } },
  'gradient penalty': { gradientPenalty: { weight: 1, budgets } },
};

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    spec: { type: 'string', default: SPEC },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    steps: { type: 'string', default: '4' },
    python: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});

function count(option: 'threads' | 'rounds' | 'steps'): number {
  const value = Number(values[option]);
  if (!Number.isInteger(value) || value < 1) throw new RangeError(`--${option} must be an integer of at least 1`);
  return value;
}

function victimName(): VictimName {
  const found = VICTIM_NAMES.find((known) => known === values.spec);
  if (found === undefined) throw new RangeError(`--spec is '${values.spec}'; give ${VICTIM_NAMES.join(', ')}`);
  return found;
}

function syntheticBatch({ waveform, frames, labels }: (typeof VICTIM_SPECS)[VictimName]): TrainingBatch {
  const pixels = frames.frames * 3 * frames.height * frames.width;
  // Weyl sequences: values without structure that a branch could be quick on.
  const spread = (size: number, low: number) =>
    Float32Array.from({ length: size }, (_, at) => low + ((at * 0.618034) % 1));
  const targets = Float32Array.from({ length: BATCH * labels }, (_, at) => Number(at % 9 === 0));
  return {
    size: BATCH,
    inputs: { waveform: spread(BATCH * waveform.samples, -0.5), frames: spread(BATCH * pixels, 0) },
    targets,
    audioTargets: targets,
    visualTargets: targets,
  };
}

/** Seconds that some steps take. */
type Turn = (steps: number) => Promise<number>;

const turnOf =
  (trainer: Trainer, batch: TrainingBatch): Turn =>
  async (steps) => {
    const started = performance.now();
    for (let step = 0; step < steps; step++) await trainer.step(batch, LEARNING_RATE);
    return (performance.now() - started) / 1000;
  };

/** Median seconds of a step, by title. */
async function inTurns(turns: ReadonlyMap<string, Turn>, rounds: number, steps: number): Promise<Map<string, number>> {
  const seconds = new Map(Array.from(turns.keys(), (title): [string, number[]] => [title, []]));
  // The first step allocates.
  for (const turn of turns.values()) await turn(1);
  for (let round = 0; round < rounds; round++) {
    for (const [title, turn] of turns) seconds.get(title)?.push((await turn(steps)) / steps);
  }
  return new Map(Array.from(seconds, ([title, taken]) => [title, median(taken)]));
}

async function main(): Promise<void> {
  const name = victimName();
  const [threads, rounds, steps] = [count('threads'), count('rounds'), count('steps')];
  const spec = VICTIM_SPECS[name];
  const batch = syntheticBatch(spec);
  await using stack = new AsyncDisposableStack();
  const turns = new Map<string, Turn>();
  for (const [title, treatments] of Object.entries(TREATMENTS)) {
    const trainer = stack.use(await Trainer.create({ spec, seed: SEED, threads, ...treatments }));
    turns.set(title, turnOf(trainer, batch));
  }
  let difference: number | undefined;
  if (values.python !== undefined) {
    const options: TwinOptions = { python: values.python, spec, seed: SEED, threads, learningRate: LEARNING_RATE };
    const twin = stack.use(await startTwin(options, batch));
    difference = await disagreement(twin, options, batch);
    if (!(difference <= TOLERANCE)) {
      throw new Error(
        `the twin's losses and gradient norms differ by ${difference}, relative; at most ${TOLERANCE} is rounding`,
      );
    }
    turns.set(TWIN, async (count) => (await runTwin(twin, count, LEARNING_RATE)).seconds);
  }
  const taken = await inTurns(turns, rounds, steps);
  const plain = taken.get(PLAIN) ?? Number.NaN;
  const theirs = taken.get(TWIN);
  const result = {
    victim: name,
    threads,
    batch: BATCH,
    rounds,
    steps,
    clipsPerSecond: Object.fromEntries(Array.from(taken, ([title, seconds]) => [title, BATCH / seconds])),
    ofPlain: Object.fromEntries(Array.from(taken, ([title, seconds]) => [title, seconds / plain])),
    ...(theirs === undefined ? {} : { twin: { difference, throughput: theirs / plain, target: TARGET } }),
  };
  if (values.json) {
    console.log(JSON.stringify(result, undefined, 2));
    return;
  }
  console.log(`${name}, ${threads} thread(s), batches of ${BATCH}; medians of ${rounds} rounds of ${steps} steps`);
  for (const [title, rate] of Object.entries(result.clipsPerSecond)) {
    const ratio = (result.ofPlain[title] ?? Number.NaN).toFixed(2);
    console.log(`${title.padEnd(22)} ${rate.toFixed(1).padStart(7)} clips/s  ${ratio} x a plain step`);
  }
  if (result.twin !== undefined) {
    const share = (100 * result.twin.throughput).toFixed(0);
    console.log(
      `${share} % of PyTorch's throughput (target ${100 * TARGET} %); losses agree to ${difference?.toExponential(1)}`,
    );
  }
}

if (values.help) console.log(USAGE);
else await main();
