import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bool, float32, GraphBuilder, int, modelOf, type Tensor } from '@faultline/onnx';
import { Session, toOrt } from '@faultline/ort';
import { CHUNK, fits, Kernel, type Operand } from './kernel.ts';
import { FOLDS, LANE_OPERATORS } from './lane-operators.ts';

const stream = (index: number): Operand => ({ kind: 'stream', index });
const step = (index: number): Operand => ({ kind: 'step', index });

/** Numbers that operators treat apart, and others; a count that four does not divide. */
const SPECIAL = [0, -0, 1, -1, 0.5, 1.5, 2.5, -0.5, -1.5, 1e-45, -1e-45, 3e38, -3e38, Infinity, -Infinity];
const numbers = (seed: number) =>
  Float32Array.from({ length: 4 * SPECIAL.length + 3 }, (_, i) =>
    i % 3 === 0 ? (SPECIAL[(i * 7 + seed) % SPECIAL.length] ?? 0) : Math.sin(i * (seed + 1)) * 10 ** ((i % 5) - 2),
  );

/** What the runtime makes of a node. */
async function byRuntime(op: string, given: readonly Tensor[], axes: readonly number[] = []): Promise<Float32Array> {
  const b = new GraphBuilder();
  const names = given.map(({ dataType, dims }, index) => b.input(`x${index}`, dims, dataType));
  const made = axes.length > 0 ? b.op(op, [...names, b.ints(axes)], { keepdims: int(0) }) : b.op(op, names);
  const isMask = ['And', 'Or', 'Xor', 'Not', 'Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual'].includes(op);
  b.output(isMask ? b.op('Cast', [made], { to: int(1) }) : made, undefined, 'unknown', 'y');
  await using session = await Session.create(modelOf(b.graph()), { optimization: 'disabled' });
  const { y } = await session.run(Object.fromEntries(given.map((tensor, index) => [`x${index}`, toOrt(tensor)])));
  assert.ok(y?.data instanceof Float32Array);
  return y.data;
}

const MASKS = new Set(['And', 'Or', 'Xor', 'Not']);
const COMPARISONS = new Set(['Equal', 'Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual']);
const OPERANDS: Readonly<Record<string, number>> = { Max: 3, Min: 3, Sum: 3, Where: 3, Clip: 3 };
const UNARY = new Set('Abs Ceil Floor Identity Neg Not Relu Round Sign Sqrt'.split(' '));

for (const op of LANE_OPERATORS.keys()) {
  if (op === 'Reshape') continue;
  test(`${op} is that of the runtime, to the last bit`, async () => {
    const count = UNARY.has(op) ? 1 : (OPERANDS[op] ?? 2);
    const values = Array.from({ length: count }, (_, index) => numbers(index));
    const length = values[0]?.length ?? 0;
    const isMask = (index: number) => MASKS.has(op) || (op === 'Where' && index === 0);
    const given = values.map((data, index) => {
      if (op === 'Clip' && index > 0) return float32([index === 1 ? -0.5 : 1], []);
      return isMask(index) ? bool(Array.from(data, (value) => value > 0)) : float32(data);
    });
    const operands = given.map((tensor, index): Operand => {
      if (tensor.dims.length === 0) return { kind: 'constant', value: Number(tensor.data[0]) };
      return isMask(index) ? step(index) : stream(index);
    });
    // Masks are made by comparing with 0; they come first, so that operands are steps of the same number.
    const comparisons = values.map((_, index) => ({
      op: 'Greater',
      operands: [stream(index), { kind: 'constant', value: 0 } as const],
    }));
    const asked = { op, operands };
    const asNumber = { op: 'Where', operands: [step(count), constant(1), constant(0)] };
    const makesMask = MASKS.has(op) || COMPARISONS.has(op);
    const kernel = new Kernel({
      streams: count,
      scalars: 0,
      steps: [...comparisons, asked, ...(makesMask ? [asNumber] : [])],
      results: [step(makesMask ? count + 1 : count)],
      folds: [],
    });
    for (const [index, data] of values.entries()) kernel.load(index, data, 0, length);
    kernel.run(0, length);
    const found = new Float32Array(length);
    kernel.store(0, found, 0, length);
    // The signs of zeros may differ.
    assert.deepEqual(
      found.map((value) => value + 0),
      (await byRuntime(op, given)).map((value) => value + 0),
    );
  });
}

const constant = (value: number): Operand => ({ kind: 'constant', value });

test('a value that is no number stays none, whichever operand it is', () => {
  for (const [op, expected] of [
    ['Max', Number.NaN],
    ['Min', Number.NaN],
    ['Relu', Number.NaN],
    ['Add', Number.NaN],
    ['Less', 0],
    ['Greater', 0],
  ] as const) {
    for (const swapped of [false, true]) {
      const operands = swapped ? [constant(1), stream(0)] : [stream(0), constant(1)];
      const asked = { op, operands: op === 'Relu' ? [stream(0)] : operands };
      const isMask = op === 'Less' || op === 'Greater';
      const kernel = new Kernel({
        streams: 1,
        scalars: 0,
        steps: [asked, { op: 'Where', operands: [step(0), constant(1), constant(0)] }],
        results: [step(isMask ? 1 : 0)],
        folds: [],
      });
      kernel.load(0, Float32Array.of(Number.NaN), 0, 1);
      kernel.run(0, 1);
      const found = new Float32Array(1);
      kernel.store(0, found, 0, 1);
      assert.deepEqual([...found], [expected], op);
    }
  }
});

for (const [op, { join, finish }] of FOLDS) {
  test(`${op} folds as the runtime does, whatever the count`, async () => {
    for (const length of [1, 3, 4, 7, 1023, CHUNK]) {
      const values = Float32Array.from({ length }, (_, i) => Math.sin(i * 1.7) + 0.25);
      const kernel = new Kernel({ streams: 1, scalars: 0, steps: [], results: [], folds: [{ op, of: stream(0) }] });
      kernel.load(0, values, 0, length);
      const half = length >> 1;
      kernel.run(0, half);
      const first = kernel.folded(0);
      kernel.run(half, length);
      const found = finish(join(first, kernel.folded(0)), length);
      const [expected = Number.NaN] = await byRuntime(op, [float32(values, [1, length])], [1]);
      assert.ok(
        Math.abs(found - expected) <= 1e-5 * Math.max(1, Math.abs(expected)),
        `${length}: ${found} ${expected}`,
      );
    }
  });
}

test('scalars are numbers or masks, set anew for each run', () => {
  const kernel = new Kernel({
    streams: 1,
    scalars: 2,
    steps: [{ op: 'Where', operands: [{ kind: 'scalar', index: 1 }, { kind: 'scalar', index: 0 }, stream(0)] }],
    results: [step(0)],
    folds: [],
  });
  const values = Float32Array.of(1, 2, 3, 4, 5);
  kernel.load(0, values, 0, 5);
  const found = new Float32Array(5);
  for (const [mask, expected] of [
    [true, [7, 7, 7, 7, 7]],
    [false, [1, 2, 3, 4, 5]],
  ] as const) {
    kernel.set(0, 7);
    kernel.set(1, mask);
    kernel.run(0, 5);
    kernel.store(0, found, 0, 5);
    assert.deepEqual([...found], expected);
  }
});

test('what does not fit into memory, and operators off the table, are told', () => {
  const program = { scalars: 0, steps: [], results: [], folds: [] };
  assert.ok(fits({ ...program, streams: 200 }));
  assert.ok(!fits({ ...program, streams: 300 }));
  assert.throws(
    () => new Kernel({ ...program, streams: 1, steps: [{ op: 'Erf', operands: [stream(0)] }] }),
    /operator 'Erf' is not one of Abs, /,
  );
});
