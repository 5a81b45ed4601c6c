import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float32, modelOf } from '@faultline/onnx';
import { float32Data, Session, toOrt } from '@faultline/ort';
import { type AdamWOptions, adamwStep } from './adamw.ts';

const OPTIONS: AdamWOptions = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxGradientNorm: 2 };
const LEARNING_RATE = 0.01;
const init = { kind: 'constant', value: 0 } as const;
const PARAMETERS = [
  { name: 'w', shape: [2, 2], init },
  { name: 'b', shape: [2], init },
];
const WEIGHTS = { w: [0.5, -1, 2, 0], b: [1, -1] };

/** Some steps in the graph, with the same gradients each time. */
async function steps(count: number, gradients: typeof WEIGHTS) {
  await using session = await Session.create(modelOf(adamwStep(PARAMETERS, OPTIONS)));
  const zeros = { w: [0, 0, 0, 0], b: [0, 0] };
  const tensors = (prefix: string, values: typeof WEIGHTS) => ({
    [`${prefix}w`]: toOrt(float32(values.w, [2, 2])),
    [`${prefix}b`]: toOrt(float32(values.b)),
  });
  let state = { ...tensors('', WEIGHTS), ...tensors('first/', zeros), ...tensors('second/', zeros) };
  let norm = 0;
  for (let step = 1; step <= count; step++) {
    const results = await session.run({
      ...state,
      ...tensors('grad/', gradients),
      learningRate: toOrt(float32([LEARNING_RATE], [])),
      correction1: toOrt(float32([1 - OPTIONS.beta1 ** step], [])),
      correction2: toOrt(float32([1 - OPTIONS.beta2 ** step], [])),
    });
    state = Object.fromEntries(
      Object.keys(state).map((name) => {
        const next = results[`next/${name}`];
        assert.ok(next);
        return [name, next];
      }),
    );
    norm = results.gradientNorm ? (float32Data(results.gradientNorm)[0] ?? Number.NaN) : Number.NaN;
  }
  const values = (name: string) => {
    const value = state[name];
    assert.ok(value);
    return [...float32Data(value)];
  };
  return { w: values('w'), b: values('b'), norm };
}

function assertClose(found: readonly number[], wanted: readonly number[]): void {
  assert.equal(found.length, wanted.length);
  for (const [index, value] of wanted.entries()) assert.ok(Math.abs(value - (found[index] ?? Number.NaN)) < 2e-6);
}

// With a constant gradient the corrected moments are g and g^2 at every step: each step moves by the learning rate
// against the gradient's sign, after a decay by (1 - learningRate x weightDecay).
const direction = (gradient: number) => (gradient === 0 ? 0 : Math.sign(gradient) / (1 + OPTIONS.epsilon));
const closedForm = (weight: number, gradient: number, count: number, decay: number): number =>
  count === 0
    ? weight
    : closedForm(weight, gradient, count - 1, decay) * (1 - LEARNING_RATE * decay) -
      LEARNING_RATE * direction(gradient);

test('constant gradients give the closed form, with decay of matrices alone', async () => {
  const gradients = { w: [0.3, -0.2, 0.1, 0], b: [0.5, -0.4] };
  const count = 5;
  const found = await steps(count, gradients);
  assertClose(
    found.w,
    WEIGHTS.w.map((weight, index) => closedForm(weight, gradients.w[index] ?? 0, count, OPTIONS.weightDecay)),
  );
  assertClose(
    found.b,
    WEIGHTS.b.map((weight, index) => closedForm(weight, gradients.b[index] ?? 0, count, 0)),
  );
});

test('the norm is that of all gradients together, before clipping', async () => {
  const { norm } = await steps(1, { w: [3, 0, 0, 4], b: [12, 0] });
  assert.ok(Math.abs(norm - 13) < 1e-5);
});

test('a clipped gradient keeps its direction', async () => {
  // Scaling all gradients leaves a step of Adam as it is, so the second moment has to show the clipping.
  await using session = await Session.create(modelOf(adamwStep(PARAMETERS, OPTIONS)));
  const zero = (dims: readonly number[]) => toOrt(float32(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims));
  const results = await session.run({
    w: zero([2, 2]),
    b: zero([2]),
    'first/w': zero([2, 2]),
    'first/b': zero([2]),
    'second/w': zero([2, 2]),
    'second/b': zero([2]),
    'grad/w': toOrt(float32([3, 0, 0, 4], [2, 2])),
    'grad/b': toOrt(float32([12, 0])),
    learningRate: toOrt(float32([LEARNING_RATE], [])),
    correction1: toOrt(float32([0.1], [])),
    correction2: toOrt(float32([0.01], [])),
  });
  const first = results['next/first/w'];
  assert.ok(first);
  const factor = OPTIONS.maxGradientNorm / 13;
  assertClose([...float32Data(first)], [0.1 * 3 * factor, 0, 0, 0.1 * 4 * factor]);
});
