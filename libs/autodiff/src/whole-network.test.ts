import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementCount, float32, float64, type Graph, GraphBuilder, ints, modelOf, type Tensor } from '@faultline/onnx';
import { fromOrt, Session, toOrt } from '@faultline/ort';
import fc from 'fast-check';
import { float64Data, gradientsAt, type Point } from './finite-differences.ts';

/** Irregular numbers in [-1, 1). */
const irregular = (count: number, seed: number) =>
  Float64Array.from({ length: count }, (_, i) => (Math.sin(i * 12.9898 + seed * 78.233) * 43758.5453) % 1);

const weights = (dims: readonly number[], seed: number): Tensor => {
  const count = elementCount(dims);
  const scale = Math.sqrt((2 * (dims[0] ?? 1)) / count);
  return float32(
    irregular(count, seed).map((value) => value * scale),
    dims,
  );
};

/** A small sound network: strided convolutions, residual, squeeze and excitation, pooling, softmax loss. */
function network(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', 1, 20, 12]);
  const conv = (value: string, dims: readonly number[], seed: number, stride: number) =>
    b.op('Conv', [value, b.input(`w${seed}`, dims), b.input(`b${seed}`, [dims[0] ?? 1])], {
      pads: ints([1, 1, 1, 1]),
      strides: ints([stride, stride]),
    });
  const first = b.op('Softplus', [conv(x, [6, 1, 3, 3], 1, 2)]);
  const second = b.op('Tanh', [conv(first, [6, 6, 3, 3], 2, 1)]);
  const residual = b.plus(first, second);
  const gate = b.op('Sigmoid', [conv(b.op('GlobalAveragePool', [residual]), [6, 6, 3, 3], 3, 1)]);
  const pooled = b.op('AveragePool', [b.times(residual, gate)], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  const flat = b.op('Flatten', [pooled]);
  const logits = b.op('Gemm', [flat, b.input('w4', [90, 5]), b.input('b4', [5])]);
  const target = b.constant(float32([1, 0, 0, 1, 0]));
  b.output(
    b.negate(b.reduceSum(b.times(b.op('LogSoftmax', [logits]), target), [1], false)),
    ['batch'],
    'float32',
    'loss',
  );
  return b.graph();
}

test('directional derivatives of a whole network, inputs and weights', async () => {
  const graph = network();
  const point: Point = new Map(
    graph.inputs.map(({ name, dims = [] }, seed) => [
      name,
      weights(
        dims.map((size) => (typeof size === 'number' ? size : 3)),
        seed + 1,
      ),
    ]),
  );
  const names = [...point.keys()];
  const gradients = await gradientsAt(graph, 'loss', names, point);
  await using session = await Session.create(modelOf(graph));
  const lossAt = async (at: Point) => {
    const { loss } = await session.run(Object.fromEntries([...at].map(([name, value]) => [name, toOrt(value)])));
    assert.ok(loss);
    return float64Data(fromOrt(loss)).reduce((sum, value) => sum + value, 0);
  };
  const step = 1e-2;
  for (const [seed, name] of names.entries()) {
    const value = point.get(name);
    assert.ok(value);
    const gradient = float64Data(gradients.get(name));
    const direction = irregular(gradient.length, 50 + seed).map((part) => part / Math.sqrt(gradient.length));
    const moved = (by: number): Point =>
      new Map(point).set(
        name,
        float32(
          float64Data(value).map((part, i) => part + by * (direction[i] ?? 0)),
          value.dims,
        ),
      );
    const difference = ((await lossAt(moved(step))) - (await lossAt(moved(-step)))) / (2 * step);
    const along = gradient.reduce((sum, part, i) => sum + part * (direction[i] ?? 0), 0);
    assert.ok(
      Math.abs(along - difference) < 2e-3 * Math.max(1, Math.abs(difference)),
      `${name}: ${along}, differences ${difference}`,
    );
  }
});

/** A step of a random graph: an operator applied to values made before, chosen by position. */
const OPERATIONS: readonly ((b: GraphBuilder, x: string, y: string) => string)[] = [
  (b, x, y) => b.plus(x, y),
  (b, x, y) => b.minus(x, y),
  (b, x, y) => b.times(x, y),
  (b, x) => b.op('Tanh', [x]),
  (b, x) => b.op('Sigmoid', [x]),
  (b, x) => b.op('Softmax', [x]),
  (b, x, y) => b.over(x, b.plus(b.times(y, y), b.scalar(1))),
  (b, x) => b.transpose(b.transpose(x, [1, 0, 2]), [1, 0, 2]),
  (b, x, y) => b.matmul(x, b.transpose(y, [0, 2, 1])),
  (b, x) => b.reduceMean(x, [1]),
  (b, x) => b.reduceSum(x, [0, 2]),
  (b, x, y) => b.slice(b.concat([b.plus(x, y), y], 1), [1], [4], [1]),
  (b, x) => b.reshape(b.reshape(x, [-1, 3]), [-1, 3, 3]),
];

const ran = async (graph: Graph, point: Point) => {
  await using session = await Session.create(modelOf(graph), { optimization: 'basic' });
  const { loss } = await session.run(Object.fromEntries([...point].map(([name, value]) => [name, toOrt(value)])));
  assert.ok(loss);
  return float64Data(fromOrt(loss)).reduce((sum, value) => sum + value, 0);
};

test('random graphs of values [batch, 3, 3] agree with directional differences', async () => {
  const picks = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 1, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(picks, async (steps) => {
      const b = new GraphBuilder({ floatType: 'float64' });
      const full = b.input('x', ['batch', 3, 3]);
      const made = [full, b.input('y', ['batch', 3, 3])];
      for (const [operation, left, right] of steps) {
        const apply = OPERATIONS[operation % OPERATIONS.length];
        const [x, y] = [made[left % made.length], made[right % made.length]];
        assert.ok(apply && x && y);
        // Reduced values take the full shape back by broadcasting.
        made.push(b.plus(apply(b, x, y), full));
      }
      b.output(b.times(made.at(-1) ?? '', b.scalar(0.5)), undefined, 'unknown', 'loss');
      const graph = b.graph();
      const point = new Map(['x', 'y'].map((name, seed) => [name, float64(irregular(18, seed + 1), [2, 3, 3])]));
      const gradients = await gradientsAt(graph, 'loss', ['x', 'y'], point);
      const directions = new Map(['x', 'y'].map((name, seed) => [name, irregular(18, seed + 9)]));
      const step = 1e-5;
      const moved = (by: number): Point =>
        new Map(
          [...point].map(([name, value]) => [
            name,
            float64(
              float64Data(value).map((part, i) => part + by * (directions.get(name)?.[i] ?? 0)),
              value.dims,
            ),
          ]),
        );
      const difference = ((await ran(graph, moved(step))) - (await ran(graph, moved(-step)))) / (2 * step);
      let along = 0;
      for (const [name, direction] of directions) {
        float64Data(gradients.get(name)).forEach((part, i) => {
          along += part * (direction[i] ?? 0);
        });
      }
      assert.ok(
        Math.abs(along - difference) <= 1e-5 * Math.max(1, Math.abs(difference)),
        `${along}, differences ${difference}`,
      );
    }),
    { numRuns: 60, seed: 7 },
  );
});
