import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, float32, float64, type Graph, GraphBuilder, int, ints, type Tensor } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { gradcheck, type OpenGraph } from './gradcheck.ts';
import { openWithRuntime as open } from './open-with-runtime.ts';

const irregular = (dims: readonly number[], scale = 1): Tensor =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => scale * (2 * ((i * 0.618034 + 0.137) % 1) - 1)),
    dims,
  );

/** Two layers of many kinks. */
function network(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', 1, 12, 12]);
  b.add('Conv', [x, 'w'], { pads: ints([1, 1, 1, 1]) }, ['h']);
  const pooled = b.op('MaxPool', [b.relu('h')], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) });
  const flat = b.op('Flatten', [pooled]);
  b.output(
    b.op('ReduceLogSumExp', [b.matmul(flat, b.constant(irregular([144, 5], 0.2)))], { keepdims: int(0) }),
    [],
    'float32',
    'loss',
  );
  const graph = b.graph();
  return { ...graph, initializers: new Map([...graph.initializers, ['w', irregular([4, 1, 3, 3])]]) };
}

describe('gradcheck', () => {
  test('a network of kinks agrees, inputs and weights', async () => {
    const graph = network();
    const point = new Map([['x', irregular([2, 1, 12, 12])]]);
    const report = await gradcheck({ graph, types: await dryRun(graph), output: 'loss', wrt: ['x', 'w'], point, open });
    assert.equal(report.outcome, 'agrees', JSON.stringify(report.variables.map(({ directions }) => directions)));
    assert.ok(report.worst < report.tolerance, `${report.worst}`);
    assert.deepEqual(
      report.variables.map(({ name, directions }) => [name, directions.length]),
      [
        ['x', 5],
        ['w', 5],
      ],
    );
  });

  test('a gradient that is wrong in a few elements does not', async () => {
    const graph = network();
    const point = new Map([['x', irregular([2, 1, 12, 12])]]);
    const wrong = async (opened: Graph): Promise<OpenGraph> => {
      const inner = await open(opened);
      return {
        run: async (inputs, outputs) =>
          new Map(
            [...(await inner.run(inputs, outputs))].map(([name, value]) => {
              if (!name.startsWith('gradcheck/') || !(value.data instanceof Float32Array)) return [name, value];
              return [name, { ...value, data: value.data.map((slope, i) => (i % 8 === 0 ? -slope : slope)) }];
            }),
          ),
        [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
      };
    };
    const report = await gradcheck({
      graph,
      types: await dryRun(graph),
      output: 'loss',
      wrt: ['x'],
      point,
      open: wrong,
    });
    assert.equal(report.outcome, 'disagrees');
  });

  test('in float64 to six digits', async () => {
    const b = new GraphBuilder({ floatType: 'float64' });
    const x = b.input('x', ['batch', 6]);
    b.output(b.op('Softmax', [b.times(b.op('Tanh', [x]), x)]), undefined, 'unknown', 'p');
    b.output(b.op('Log', ['p']), undefined, 'unknown', 'y');
    const graph = b.graph();
    const point = new Map([['x', float64(irregular([2, 6]).data as Float32Array, [2, 6])]]);
    const report = await gradcheck({ graph, types: await dryRun(graph), output: 'y', wrt: ['x'], point, open });
    assert.equal(report.outcome, 'agrees');
    assert.ok(report.worst < 1e-6, `${report.worst}`);
  });

  test('a kink at the point itself: a slope between the sides agrees', async () => {
    const b = new GraphBuilder();
    b.output(b.reduceSum(b.relu(b.input('x', ['batch', 4])), [1]), undefined, 'unknown', 'y');
    const graph = b.graph();
    const point = new Map([['x', float32(new Float32Array(4), [1, 4])]]);
    const report = await gradcheck({ graph, types: await dryRun(graph), output: 'y', wrt: ['x'], point, open });
    assert.equal(report.outcome, 'agrees');
    assert.ok(report.variables[0]?.directions.every(({ evidence }) => evidence === 'one-sided differences'));
  });

  test('estimates are named; steps disagree with them', async () => {
    const b = new GraphBuilder();
    const [scale, zero] = [b.scalar(2), b.constant({ dataType: 'uint8', dims: [], data: Uint8Array.of(128) })];
    const levels = b.op('QuantizeLinear', [b.input('x', ['batch', 4]), scale, zero]);
    b.output(b.op('DequantizeLinear', [levels, scale, zero]), undefined, 'unknown', 'y');
    const graph = b.graph();
    const point = new Map([['x', irregular([2, 4], 0.5)]]);
    const report = await gradcheck({ graph, types: await dryRun(graph), output: 'y', wrt: ['x'], point, open });
    assert.deepEqual(report.estimates, ['QuantizeLinear']);
    assert.equal(report.outcome, 'disagrees');
  });
});
