import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { NamedLoss } from '@faultline/victim';
import { near, program, sumOfTargets, targets } from './test-support/programs.ts';
import {
  CLIPS,
  inputs,
  LABELS,
  logitsAt,
  row,
  SAMPLES,
  slopes,
  twoLayerVictim,
} from './test-support/two-layer-victim.ts';

const victim = await twoLayerVictim();
after(() => victim[Symbol.asyncDispose]());

const sigmoid = (z: number) => 1 / (1 + Math.exp(-z));
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** The losses once more, from their definitions. */
const LOSSES: Readonly<Record<NamedLoss, (z: readonly number[], t: readonly number[]) => number>> = {
  margin: (z, t) => Math.max(...z.filter((_, label) => t[label] === 1)),
  bce: (z, t) => sum(z.map((value, l) => -Math.log(t[l] === 1 ? sigmoid(value) : 1 - sigmoid(value)))) / LABELS,
  ce: (z, t) => {
    const total = sum(z.map(Math.exp));
    return sum(z.map((value, l) => (-(t[l] ?? 0) / sum(t)) * Math.log(Math.exp(value) / total)));
  },
  logit_sum: (z, t) => sum(z.map((value, l) => value * (t[l] ?? 0))),
};

for (const [name, loss] of Object.entries(LOSSES)) {
  test(`the loss '${name}' and its gradient`, async () => {
    const found = await victim.differentiate({
      inputs,
      targets,
      objective: name as NamedLoss,
      variables: ['waveform'],
    });
    assert.deepEqual(found.cost, { forwardExamples: CLIPS, gradientExamples: CLIPS });
    for (let clip = 0; clip < CLIPS; clip++) {
      const value = (x: readonly number[]) => loss(logitsAt(x, clip), row(targets, clip));
      const x = row(inputs.get('waveform'), clip);
      near([found.loss.data[clip] ?? 0], [value(x)]);
      near(row(found.logits, clip), logitsAt(x, clip));
      near(row(found.gradients.get('waveform'), clip), slopes(value, x));
    }
  });
}

test('an objective program with constants and parameters, of all variables at once', async () => {
  const objective = program((b) => {
    const weighted = b.times(b.read('logits', [LABELS]), b.input('const/weights', [LABELS]));
    const distance = b.minus(b.read('x/waveform', [SAMPLES]), b.read('x0/waveform', [SAMPLES]));
    const penalty = b.reduceSum(b.times(distance, distance), [1], false);
    const scaled = b.times(
      b.reduceSum(weighted, [1], false),
      b.times(b.read('param/scale'), b.input('param/all', [1])),
    );
    b.write('loss', b.plus(scaled, penalty));
  });
  const weights = Float32Array.of(1, -2, 0.5);
  const scale = Float32Array.of(1, 2, 3);
  const found = await victim.differentiate({
    inputs,
    targets,
    objective,
    variables: ['waveform', 'frames'],
    constants: new Map([['weights', { dims: [LABELS], data: weights }]]),
    parameters: { scale, all: Float32Array.of(0.5) },
  });
  assert.deepEqual(found.gradients.get('frames')?.dims, [CLIPS, 2, 3, 2, 2]);
  for (let clip = 0; clip < CLIPS; clip++) {
    const value = (x: readonly number[]) =>
      0.5 * (scale[clip] ?? 0) * sum(logitsAt(x, clip).map((z, l) => z * (weights[l] ?? 0)));
    near(row(found.gradients.get('waveform'), clip), slopes(value, row(inputs.get('waveform'), clip)));
  }
});

test('what it cannot do is said', async () => {
  const request = { inputs, targets, objective: sumOfTargets(), variables: ['waveform'] };
  const reading = program((b) =>
    b.write('loss', b.plus(b.reduceSum(b.read('logits', [LABELS]), [1], false), b.read('state/s'))),
  );
  await assert.rejects(
    victim.differentiate({ ...request, objective: reading }),
    /reads 'state\/s', which only a loop has/,
  );
  await assert.rejects(
    victim.differentiate({ ...request, objective: 'hinge' as NamedLoss }),
    /there is no loss 'hinge'; use one of margin, bce, ce, logit_sum/,
  );
  await assert.rejects(victim.differentiate({ ...request, variables: [] }), /name at least one variable/);
  await assert.rejects(
    victim.differentiate({ ...request, variables: ['smell'] }),
    /variable 'smell' is no input or tap/,
  );
});

test('a loss on which the variable does not act has the gradient zero', async () => {
  const objective = program((b) => b.write('loss', b.times(b.scalar(0), b.read('param/p'))));
  const parameters = { p: Float32Array.of(1, 1, 1) };
  const { gradients } = await victim.differentiate({ inputs, targets, objective, variables: ['waveform'], parameters });
  assert.ok(gradients.get('waveform')?.data.every((value) => Number(value) === 0));
});
