import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float32, modelOf } from '@faultline/onnx';
import { float32Data, type OrtTensor, Session, toOrt } from '@faultline/ort';
import { type AdamWOptions, adamwStep } from './adamw.ts';

const OPTIONS: AdamWOptions = { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weightDecay: 0.1, maxGradientNorm: 2 };
const LEARNING_RATE = 0.01;
const init = { kind: 'constant', value: 0 } as const;
const PARAMETERS = [
  { name: 'w', shape: [2, 2], init },
  { name: 'b', shape: [2], init },
];
const WEIGHTS = { w: [0.5, -1, 2, 0], b: [1, -1] };

const vector = ({ w, b }: typeof WEIGHTS) => toOrt(float32([...w, ...b]));
const ZERO = { w: [0, 0, 0, 0], b: [0, 0] };

/** Some steps in the graph, with the same gradients each time. */
async function steps(count: number, gradients: typeof WEIGHTS, weights = WEIGHTS) {
  await using session = await Session.create(modelOf(adamwStep(PARAMETERS, OPTIONS)));
  let state: Record<string, OrtTensor> = { weights: vector(weights), first: vector(ZERO), second: vector(ZERO) };
  let norm = Number.NaN;
  for (let step = 1; step <= count; step++) {
    const results = await session.run({
      ...state,
      gradient: vector(gradients),
      learningRate: toOrt(float32([LEARNING_RATE], [])),
      correction1: toOrt(float32([1 - OPTIONS.beta1 ** step], [])),
      correction2: toOrt(float32([1 - OPTIONS.beta2 ** step], [])),
    });
    state = Object.fromEntries(Object.keys(state).map((name) => [name, results[`next/${name}`] as OrtTensor]));
    norm = float32Data(results.gradientNorm as OrtTensor)[0] ?? Number.NaN;
  }
  const values = (name: string) => [...float32Data(state[name] as OrtTensor)];
  const first = values('first');
  return { w: values('weights').slice(0, 4), b: values('weights').slice(4), first, norm };
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
  // Scaling all gradients leaves a step of Adam as it is, so the first moment has to show the clipping.
  const { first } = await steps(1, { w: [3, 0, 0, 4], b: [12, 0] }, ZERO);
  const factor = OPTIONS.maxGradientNorm / 13;
  assertClose(
    first,
    [3, 0, 0, 4, 12, 0].map((gradient) => 0.1 * gradient * factor),
  );
});
