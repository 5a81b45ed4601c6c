import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float, type Graph, type GraphBuilder, int, int64, ints, string } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import fc from 'fast-check';
import { gradcheck } from '../gradcheck/gradcheck.ts';
import { openWithRuntime } from '../gradcheck/open-with-runtime.ts';
import { irregular, Layers } from './layers.ts';

const [CHANNELS, HEIGHT, WIDTH] = [4, 6, 5] as const;
const SHAPE = ['batch', CHANNELS, HEIGHT, WIDTH] as const;
const BATCH = 2;

type Step = (l: Layers, x: string, y: string) => string;

const op =
  (name: string, attributes: Parameters<GraphBuilder['op']>[2] = {}): Step =>
  ({ b }, x) =>
    b.op(name, [x], attributes);

/** Steps from values of one shape, or that broadcasts to it, to another such value. */
const STEPS: Readonly<Record<string, Step>> = {
  Conv: (l, x) => l.conv(x, [CHANNELS, CHANNELS], [3, 3]),
  depthwise: (l, x) => l.conv(x, [CHANNELS, CHANNELS], [3, 3], { group: CHANNELS }),
  pointwise: (l, x) => l.conv(x, [CHANNELS, CHANNELS], [1, 1]),
  BatchNormalization: (l, x) => l.batchNorm(x, CHANNELS),
  LayerNormalization: (l, x) => l.layerNorm(x, WIDTH),
  InstanceNormalization: (l, x) =>
    l.b.op('InstanceNormalization', [x, l.vector(CHANNELS, 1), l.vector(CHANNELS, 0)], { epsilon: float(0.1) }),
  Relu: op('Relu'),
  Gelu: op('Gelu'),
  HardSwish: op('HardSwish'),
  Softmax: op('Softmax', { axis: int(1) }),
  MaxPool: op('MaxPool', { kernel_shape: ints([3, 3]), pads: ints([1, 1, 1, 1]) }),
  AveragePool: op('AveragePool', { kernel_shape: ints([3, 2]), pads: ints([1, 0, 1, 1]), count_include_pad: int(1) }),
  'strided and resized': (l, x) => {
    const small = l.pool('MaxPool', x, [2, 1], [2, 1]);
    return l.b.op('Resize', [small, '', '', l.b.op('Shape', [x])], { mode: string('linear') });
  },
  'reflected and cropped': ({ b }, x) =>
    b.slice(b.op('Pad', [x, b.ints([0, 0, 2, 1, 0, 0, 1, 3])], { mode: string('reflect') }), [3, 2], [9, 7], [2, 3]),
  'halves exchanged': ({ b }, x) => {
    const [left, right] = [b.fresh('left'), b.fresh('right')];
    b.add('Split', [x, b.ints([1, 3])], { axis: int(1) }, [left, right]);
    return b.concat([right, left], 1);
  },
  'channels chosen': ({ b }, x) => b.op('Gather', [x, b.ints([2, 0, 0, -1])], { axis: int(1) }),
  'squeeze and excitation': (l, x) =>
    l.b.times(x, l.b.op('Sigmoid', [l.conv(l.b.op('GlobalAveragePool', [x]), [CHANNELS, CHANNELS], [1, 1])])),
  'largest of an axis': ({ b }, x) => b.minus(x, b.reduceMax(x, [2])),
  attention: ({ b }, x, y) => {
    const scores = b.op('Softmax', [b.matmul(x, b.transpose(y, [0, 1, 3, 2]))]);
    return b.matmul(scores, y);
  },
  Einsum: ({ b }, x, y) => b.op('Einsum', [x, y], { equation: string('bchw,bdhw->bch') }),
  Where: ({ b }, x, y) => b.op('Where', [b.op('Greater', [x, b.scalar(0.05)]), x, y]),
  Max: ({ b }, x, y) => b.op('Max', [x, y]),
  CumSum: ({ b }, x) => b.op('CumSum', [x, b.constant(int64([3], []))]),
  turned: ({ b }, x) =>
    b.reshape(b.transpose(b.reshape(x, [0, CHANNELS, -1]), [0, 2, 1]), [-1, CHANNELS, HEIGHT, WIDTH]),
  Tile: ({ b }, x) => b.slice(b.op('Tile', [x, b.ints([1, 1, 2, 1])]), [3], [9], [2]),
};

const NAMES = Object.keys(STEPS);

function graphOf(picks: readonly (readonly [number, number, number])[]): Graph {
  const l = new Layers();
  const { b } = l;
  const made = [b.input('x', SHAPE), b.input('y', SHAPE)];
  for (const [pick, left, right] of picks) {
    const step = STEPS[NAMES[pick % NAMES.length] ?? ''];
    const [x = '', y = ''] = [made[left % made.length], made[right % made.length]];
    assert.ok(step);
    const value = step(l, x, y);
    // Reduced values take the full shape back by broadcasting; normalising keeps long chains away from infinity.
    const whole = b.plus(step === STEPS.Einsum ? b.op('Unsqueeze', [value, b.ints([3])]) : value, x);
    made.push(b.op('Tanh', [b.times(whole, b.scalar(0.5))]));
  }
  const last = made.at(-1) ?? '';
  b.output(
    b.reduceMean(b.times(last, l.weights([CHANNELS, HEIGHT, WIDTH], 3)), [1, 2, 3], false),
    ['batch'],
    'float32',
    'loss',
  );
  return b.graph();
}

const checked = async (graph: Graph) => {
  const point = new Map(['x', 'y'].map((name, i) => [name, irregular([BATCH, CHANNELS, HEIGHT, WIDTH], i + 3)]));
  return gradcheck({
    graph,
    types: await dryRun(graph),
    output: 'loss',
    wrt: ['x', 'y'],
    point,
    open: openWithRuntime,
    directions: 3,
    steps: [3e-2, 1e-2, 3e-3, 1e-3],
  });
};

test('every step alone', async () => {
  for (const [at, name] of NAMES.entries()) {
    const { outcome, variables } = await checked(graphOf([[at, 0, 1]]));
    assert.equal(outcome, 'agrees', `${name}: ${JSON.stringify(variables, undefined, 1)}`);
  }
});

test('random graphs of images agree along directions', async () => {
  const picks = fc.array(fc.tuple(fc.nat(), fc.nat(), fc.nat()), { minLength: 2, maxLength: 7 });
  let [agreed, all] = [0, 0];
  await fc.assert(
    fc.asyncProperty(picks, async (steps) => {
      const { outcome, variables } = await checked(graphOf(steps));
      assert.notEqual(outcome, 'disagrees', JSON.stringify(variables, undefined, 1));
      all++;
      if (outcome === 'agrees') agreed++;
    }),
    { numRuns: 30, seed: 11 },
  );
  assert.ok(agreed > 0.9 * all, `${agreed} of ${all} agree, the others say nothing`);
});
