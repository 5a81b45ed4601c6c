import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DenseTensor } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { LocalVictim } from '@faultline/victim-local';
import { testCard } from '@faultline/victim-local/testing';
import { apgd } from './apgd.ts';
import type { AttackSetting } from './attack.ts';
import { defaultValues } from './attack-parameters.ts';
import { keepBest } from './best-point.ts';
import type { Goal } from './goals.ts';
import { ProgramBuilder } from './program-builder.ts';
import { type BallNorm, keepBounds } from './projection.ts';
import reference from './testing/apgd-reference.json' with { type: 'json' };

const FRAMES = [1, 3, 3, 3] as const;
/** Of coordinates. */
const TOLERANCE = 1e-4;
/** Of losses, relative where they are large: quotients of logits magnify what coordinates differ by. */
const LOSS_TOLERANCE = 1e-3;
const { network } = reference;
const NORMS: Record<string, BallNorm> = { Linf: 'linf', L2: 'l2', L1: 'l1' };

/** The reference's network: z = W2 tanh(W1 (2 x - 1) + b1) + b2. */
async function networkVictim(): Promise<LocalVictim> {
  const b = new GraphBuilder();
  const { inputs, hidden, labels } = network;
  const weights = (values: readonly number[], dims: readonly number[]) => b.constant(float32(values, dims));
  const x = b.reshape(b.input('frames', ['batch', ...FRAMES]), [-1, inputs]);
  const centred = b.times(b.minus(x, b.scalar(0.5)), b.scalar(2));
  const inner = b.plus(
    b.matmul(centred, weights(network.weights1, [inputs, hidden])),
    weights(network.bias1, [hidden]),
  );
  const outer = b.matmul(b.op('Tanh', [inner]), weights(network.weights2, [hidden, labels]));
  b.output(b.plus(outer, weights(network.bias2, [labels])), ['batch', labels], 'float32', 'logits');
  const model = encodeModel(b.model('reference'));
  const [frames, , height, width] = FRAMES;
  const card = testCard('reference', model, labels, {
    inputs: [{ name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames, height, width } } }],
  });
  return LocalVictim.load({ model, card });
}

type Run = (typeof reference.runs)[number];

/** Starts at the reference's starting point. */
function startProgram({ variables, norm }: AttackSetting<BallNorm>): Uint8Array {
  const b = new ProgramBuilder();
  for (const variable of variables) {
    const { name, dims } = variable;
    b.write(
      `next/${name}`,
      b.plus(b.constantSlot('start', [1, ...dims]), b.times(b.read(`x0/${name}`, dims), b.scalar(0))),
      dims,
    );
    keepBounds(b, norm, b.read(`param/epsilon/${name}`), variable);
  }
  keepBest(b, variables);
  return b.bytes('start');
}

/** Losses (the reference's sign), points and step sizes of our loop on one example of a recorded run, by step. */
async function trajectory(victimUnderTest: LocalVictim, run: Run, example: number) {
  const size = network.inputs;
  const row = (values: readonly number[]) => Float32Array.from(values.slice(example * size, (example + 1) * size));
  const target = run.targets?.[example];
  const goal: Goal = target === undefined ? { kind: 'top k', k: 1 } : { kind: 'targeted', label: target };
  const norm = NORMS[run.norm] ?? 'linf';
  const setting: AttackSetting<BallNorm> = {
    variables: [{ name: 'frames', dims: FRAMES, low: 0, high: 1 }],
    norm,
    steps: run.steps,
    thresholds: Array(network.labels).fill(0),
    logitScale: 1,
    goal,
  };
  const loss = { ce: 'ce', dlr: 'dlr_original', 'dlr-targeted': 'dlr_targeted' }[run.loss] ?? '';
  const plan = apgd.plan(setting, { ...defaultValues(apgd.parameters), loss, sparse_among: 'all', settling: 0 });
  const targets = new Float32Array(network.labels);
  targets[run.labels[example] ?? 0] = 1;
  const start: DenseTensor = { dims: [1, ...FRAMES], data: row(run.points[0]?.values ?? []) };
  const { card } = await victimUnderTest.describe();
  const budgets = [new Map([['frames', run.epsilon]])];
  await using loop = await victimUnderTest.open(
    {
      modelSha256: card.sha256,
      programs: { ...plan.programs, init: startProgram(setting) },
      variables: [{ name: 'frames', scope: 'example' }],
      constants: new Map([...plan.constants, ['start', start]]),
      exampleClips: [0],
      inputs: new Map([['frames', { dims: [1, ...FRAMES], data: row(run.clean) }]]),
      targets: { dims: [1, network.labels], data: targets },
    },
    plan.initParameters(budgets),
  );
  const losses: number[] = [];
  const points: number[][] = [];
  const stepSizes: number[] = [];
  for (let step = 0; step <= run.steps; step += 1) {
    points.push([...((await loop.fetch(['x/frames'])).get('x/frames')?.data ?? [])].map(Number));
    const count = step === run.steps ? 0 : 1;
    const parameters = plan.stepParameters(budgets, step, count);
    const { outcomes } = await loop.step({ steps: count, parameters, finish: count === 0 });
    stepSizes.push(outcomes.get('stepSize')?.[0] ?? Number.NaN);
    losses.push(-(outcomes.get('loss')?.[0] ?? Number.NaN));
  }
  return { losses, points, stepSizes };
}

for (const run of reference.runs) {
  test(`APGD follows the reference implementation: ${run.norm}, ${run.loss}`, async () => {
    await using victimUnderTest = await networkVictim();
    for (const example of [0, 1]) {
      const { losses, points, stepSizes } = await trajectory(victimUnderTest, run, example);
      assert.ok(Number(stepSizes.at(-1)) < Number(stepSizes[0]) / 2, 'step sizes fall on the way');
      const size = network.inputs;
      for (const { step, values } of run.points) {
        for (const [index, value] of values.slice(example * size, (example + 1) * size).entries()) {
          const ours = points[step]?.[index] ?? Number.NaN;
          assert.ok(
            Math.abs(ours - value) <= TOLERANCE,
            `example ${example}, step ${step}, coordinate ${index}: ${ours} for ${value}`,
          );
        }
      }
      for (const [step, row] of run.losses.entries()) {
        const [ours, theirs] = [losses[step] ?? Number.NaN, row[example] ?? Number.NaN];
        const size = Math.max(1, Math.abs(theirs));
        assert.ok(
          Math.abs(ours - theirs) <= LOSS_TOLERANCE * size,
          `example ${example}, step ${step}: loss ${ours} for ${theirs}`,
        );
      }
    }
  });
}
