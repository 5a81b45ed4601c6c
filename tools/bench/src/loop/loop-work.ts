import { catalogue } from '@faultline/attack-algorithms';
import { elementCount } from '@faultline/contracts';
import {
  exampleDims,
  type Loop,
  type LoopPlan,
  type Victim,
  type VictimDescription,
  valueRange,
} from '@faultline/victim';

/** A batch of an attack, ready to be run on any victim of the same card. */
export interface LoopWork {
  readonly plan: LoopPlan;
  readonly examples: number;
  readonly clips: number;
  readonly steps: number;
  readonly initParameters: LoopParameters;
  stepParameters(step: number): LoopParameters;
  /** Slots that are fetched in the end. */
  readonly fetched: readonly string[];
}

type LoopParameters = Readonly<Record<string, Float32Array>>;

/** Scales of the ladder: budgets that a real attack would try together. */
const LADDER = [0.25, 0.5, 1, 2];

/** Budgets at scale 1: amplitude, or brightness. */
const RHO = 0.01;

/** Deterministic numbers in [-1, 1) that are no constant: which ones they are does not matter to the time. */
const wave = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i * 1.31) * Math.cos(i * 0.017));

/** PGD on all inputs of a victim: clips x ladder examples, one step a message. */
export function loopWork({ card }: VictimDescription, clips: number, steps: number): LoopWork {
  const pgd = catalogue.get('pgd');
  if (pgd?.kind !== 'fixed budget') throw new Error('the catalogue has no pgd');
  const variables = card.inputs.map((input) => ({ name: input.name, dims: exampleDims(input), ...valueRange(input) }));
  const defaults = Object.fromEntries(Object.entries(pgd.parameters).map(([name, spec]) => [name, spec.default]));
  const attack = pgd.plan(
    {
      variables,
      norm: 'linf',
      steps,
      thresholds: card.labels.map(({ threshold }) => threshold),
      logitScale: card.logitScale,
    },
    defaults,
  );
  const examples = clips * LADDER.length;
  const budgets = Array.from({ length: examples }, (_, i) => {
    const scale = LADDER[i % LADDER.length] ?? 1;
    return new Map(variables.map(({ name }) => [name, scale * RHO] as const));
  });
  const targets = new Float32Array(examples * card.labels.length);
  for (let i = 0; i < examples; i++) targets[i * card.labels.length + (i % card.labels.length)] = 1;
  const plan: LoopPlan = {
    modelSha256: card.sha256,
    programs: attack.programs,
    variables: variables.map(({ name }) => ({ name, scope: 'example' })),
    exampleClips: Array.from({ length: examples }, (_, i) => Math.floor(i / LADDER.length)),
    inputs: new Map(
      card.inputs.map((input) => {
        const dims = [clips, ...exampleDims(input)];
        const values = wave(elementCount(dims));
        const data = input.kind?.$case === 'frames' ? Uint8Array.from(values, (value) => 127 + 100 * value) : values;
        return [input.name, { dims, data }];
      }),
    ),
    targets: { dims: [examples, card.labels.length], data: targets },
    constants: attack.constants,
    noise: attack.noise,
    noiseKeys: BigUint64Array.from({ length: examples }, (_, i) => BigInt(i + 1)),
  };
  return {
    plan,
    examples,
    clips,
    steps,
    initParameters: attack.initParameters(budgets),
    stepParameters: (step) => attack.stepParameters(budgets, step, 1),
    fetched: variables.map(({ name }) => `state/best/${name}`),
  };
}

/** The whole loop: upload, every step in a message of its own, the final evaluation, the tensors back. */
export async function runLoop(victim: Victim, work: LoopWork): Promise<void> {
  await using loop = await victim.open(work.plan, work.initParameters);
  await runSteps(loop, work);
  await loop.fetch(work.fetched);
}

/** The steps of an open loop. */
export async function runSteps(loop: Loop, { steps, stepParameters }: LoopWork): Promise<void> {
  for (let step = 0; step < steps; step++) {
    const { stepsDone } = await loop.step({ steps: 1, parameters: stepParameters(step), finish: step === steps - 1 });
    if (stepsDone !== 1) throw new Error(`${stepsDone} steps were done where one was asked for`);
  }
}
