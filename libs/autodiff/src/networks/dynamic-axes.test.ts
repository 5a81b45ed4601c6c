import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Dimension, float32, type Graph, int, int64, ints, modelOf, string } from '@faultline/onnx';
import { dryRun, fromOrt, Session, toOrt } from '@faultline/ort';
import { differentiate } from '../differentiate.ts';
import { float64Data } from '../finite-differences.ts';
import { irregular, Layers } from './layers.ts';

const CHANNELS = 3;

interface Row {
  readonly about: string;
  /** Input shape for a length of time, which may be a symbol. */
  readonly input: (time: Dimension) => readonly Dimension[];
  readonly build: (l: Layers, x: string) => string;
}

const sequence = (time: Dimension) => ['batch', CHANNELS, time];
const image = (time: Dimension) => ['batch', CHANNELS, time, 4];

const conv = (about: string, kernel: number, attributes: Parameters<Layers['b']['op']>[2]): Row => ({
  about: `Conv, ${about}`,
  input: sequence,
  build: (l, x) => l.b.op('Conv', [x, l.weights([4, CHANNELS, kernel])], attributes),
});

const pool = (op: 'MaxPool' | 'AveragePool', about: string, attributes: Parameters<Layers['b']['op']>[2]): Row => ({
  about: `${op}, ${about}`,
  input: image,
  build: ({ b }, x) => b.op(op, [x], attributes),
});

const small = { kernel_shape: ints([2, 2]), strides: ints([2, 2]) };
const overlapping = { kernel_shape: ints([3, 2]), strides: ints([2, 1]), pads: ints([1, 0, 1, 1]) };

const ROWS: readonly Row[] = [
  conv('same', 3, { pads: ints([1, 1]) }),
  conv('uneven, dilated', 3, { pads: ints([0, 3]), dilations: ints([2]) }),
  conv('strided', 3, { strides: ints([2]), pads: ints([1, 1]) }),
  conv('stride 3, no pads', 2, { strides: ints([3]) }),
  conv('stride 4 of 5, pads at one end', 5, { strides: ints([4]), pads: ints([2, 0]) }),
  conv('SAME_UPPER', 3, { auto_pad: string('SAME_UPPER') }),
  pool('MaxPool', '2 by 2', small),
  pool('MaxPool', 'overlapping, padded', overlapping),
  pool('MaxPool', 'rounded up', { ...small, ceil_mode: int(1) }),
  pool('AveragePool', '2 by 2', small),
  pool('AveragePool', 'overlapping, padded', overlapping),
  pool('AveragePool', 'padding counted', { ...overlapping, count_include_pad: int(1) }),
  {
    about: 'waveform front end: reflect, strided convolution, log, normalised, pooled',
    input: (time) => ['batch', time],
    build: (l, x) => {
      const { b } = l;
      const signal = b.op('Unsqueeze', [x, b.ints([1])]);
      const padded = b.op('Pad', [signal, b.ints([0, 0, 4, 0, 0, 4])], { mode: string('reflect') });
      const filtered = b.op('Conv', [padded, l.weights([6, 1, 8])], { strides: ints([4]) });
      const power = b.op('Log', [b.plus(b.times(filtered, filtered), b.scalar(0.1))]);
      const normed = l.batchNorm(b.op('InstanceNormalization', [power, l.vector(6, 1), l.vector(6, 0)]), 6);
      return b.op('Flatten', [b.op('GlobalAveragePool', [b.relu(normed)])]);
    },
  },
  {
    about: 'repeated by Resize, as feature pyramids do',
    input: image,
    build: ({ b }, x) => {
      const asymmetric = { coordinate_transformation_mode: string('asymmetric'), nearest_mode: string('floor') };
      const doubled = b.op('Resize', [x, '', b.constant(float32([1, 1, 2, 2]))], asymmetric);
      return b.op('Resize', [doubled, '', b.constant(float32([1, 1, 3, 0.5]))], { mode: string('nearest') });
    },
  },
  {
    about: 'STFT',
    input: (time) => ['batch', time, 1],
    build: ({ b }, x) => {
      const window = b.op('HannWindow', [b.constant(int64([6], []))]);
      const spectrum = b.op('STFT', [x, b.constant(int64([3], [])), window]);
      return b.reduceSum(b.times(spectrum, spectrum), [3], false);
    },
  },
  {
    about: 'attention over time with a token in front',
    input: (time) => ['batch', time, 4],
    build: (l, x) => {
      const { b } = l;
      const batch = b.slice(b.op('Shape', [x]), [0], [1], [0]);
      const token = b.op('Expand', [l.weights([1, 1, 4], 1), b.concat([batch, b.ints([1, 4])], 0)]);
      const tokens = l.layerNorm(b.concat([token, l.linear(x, 4, 4)], 1), 4);
      const heads = b.transpose(b.reshape(tokens, [0, -1, 2, 2]), [0, 2, 1, 3]);
      const scores = b.op('Softmax', [b.matmul(heads, b.transpose(heads, [0, 1, 3, 2]))]);
      const mixed = b.reshape(b.transpose(b.matmul(scores, heads), [0, 2, 1, 3]), [0, -1, 4]);
      return b.op('Gather', [mixed, b.constant(int64([0], []))], { axis: int(1) });
    },
  },
  {
    about: 'frames folded into the batch, back by the shape',
    input: (time) => ['batch', time, CHANNELS, 4, 4],
    build: (l, x) => {
      const { b } = l;
      const shape = b.op('Shape', [x]);
      const front = b.slice(shape, [0], [2], [0]);
      const folded = b.reshape(x, [-1, CHANNELS, 4, 4]);
      const pooled = b.op('GlobalAveragePool', [b.relu(l.conv(folded, [CHANNELS, 5], [3, 3]))]);
      const apart = b.op('Reshape', [pooled, b.concat([front, b.ints([5])], 0)]);
      return b.reduceMean(apart, [1], false);
    },
  },
  {
    about: 'slices and joins along time',
    input: sequence,
    build: ({ b }, x) => {
      const [first, rest, last] = [
        b.slice(x, [0], [2], [2]),
        b.slice(x, [1], [2 ** 40], [2]),
        b.slice(x, [-3], [-1], [2]),
      ];
      return b.op('CumSum', [b.concat([rest, first, b.times(x, x), last], 2), b.constant(int64([2], []))]);
    },
  },
  {
    about: 'pads and reductions along time',
    input: sequence,
    build: ({ b }, x) => {
      const padded = b.op('Pad', [x, b.ints([0, 0, 2, 0, 0, 1])], { mode: string('edge') });
      const cropped = b.op('Pad', [padded, b.ints([0, 0, -1, 0, 0, 2])]);
      return b.plus(b.reduceMax(cropped, [2]), b.reduceMean(b.times(cropped, cropped), [-1]));
    },
  },
  {
    about: 'weights of a convolution over time',
    input: sequence,
    build: (l, x) => {
      const kernel = l.b.reshape(l.b.reduceMean(x, [0, 2]), [1, CHANNELS, 1]);
      return l.b.op('Conv', [x, l.b.op('Expand', [kernel, l.b.ints([2, CHANNELS, 3])])], { strides: ints([2]) });
    },
  },
];

function graphOf(row: Row, time: Dimension): Graph {
  const l = new Layers();
  const y = row.build(l, l.b.input('x', row.input(time)));
  l.b.output(l.b.times(y, y), undefined, 'unknown', 'y');
  return l.b.graph();
}

/** The graph that also computes the squared length of its gradient, as `y`. */
async function withNorm(graph: Graph, axes: Readonly<Record<string, readonly [number, number]>> = {}): Promise<Graph> {
  const first = differentiate({
    graph: { ...graph, outputs: [] },
    types: await dryRun(graph, undefined, axes),
    output: 'y',
    wrt: ['x'],
    gradName: () => 'slope',
  });
  const renamed = first.nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map((name) => (name === 'y' ? 'value' : name)),
    outputs: node.outputs.map((name) => (name === 'y' ? 'value' : name)),
  }));
  const square = { name: '', op: 'Mul', domain: '', inputs: ['slope', 'slope'], outputs: ['y'], attributes: {} };
  return { ...first, nodes: [...renamed, square], outputs: [{ name: 'y', dataType: 'unknown', dims: undefined }] };
}

async function gradient(graph: Graph, types: Awaited<ReturnType<typeof dryRun>>) {
  const session = await Session.create(modelOf(differentiate({ graph, types, output: 'y', wrt: ['x'] })));
  return {
    at: async (x: ReturnType<typeof irregular>) => {
      const { 'grad/x': found } = await session.run({ x: toOrt(x) }, ['grad/x']);
      assert.ok(found);
      return fromOrt(found);
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

describe('gradients of gradients too', () => {
  for (const about of [
    'Conv, strided',
    'MaxPool, 2 by 2',
    'attention over time with a token in front',
    'slices and joins along time',
  ]) {
    test(about, async () => {
      const row = ROWS.find((one) => one.about === about);
      assert.ok(row);
      const axes = { time: [23, 30] } as const;
      const dynamic = await withNorm(graphOf(row, 'time'), axes);
      await using anyLength = await gradient(dynamic, await dryRun(dynamic, undefined, axes));
      const fixed = await withNorm(graphOf(row, 14));
      await using ofLength = await gradient(fixed, await dryRun(fixed));
      const x = irregular(
        row.input(14).map((size) => (typeof size === 'number' ? size : 2)),
        5,
      );
      const [found, expected] = [float64Data(await anyLength.at(x)), float64Data(await ofLength.at(x))];
      const size = Math.max(...expected.map(Math.abs));
      assert.ok(size > 0);
      assert.ok(found.every((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)) <= 1e-5 * size));
    });
  }
});

describe('one gradient graph for every batch and every length of time', () => {
  for (const row of ROWS) {
    test(row.about, async () => {
      const dynamic = graphOf(row, 'time');
      await using anyLength = await gradient(dynamic, await dryRun(dynamic, undefined, { time: [23, 30] }));
      for (const [batch, time] of [
        [1, 14],
        [3, 25],
      ] as const) {
        const fixed = graphOf(row, time);
        await using ofLength = await gradient(fixed, await dryRun(fixed));
        const dims = row.input(time).map((size) => (typeof size === 'number' ? size : batch));
        const x = irregular(dims, time);
        const [found, expected] = [await anyLength.at(x), await ofLength.at(x)];
        assert.deepEqual(found.dims, dims);
        const wanted = float64Data(expected);
        const size = Math.max(...wanted.map(Math.abs));
        assert.ok(size > 0);
        for (const [i, value] of float64Data(found).entries()) {
          assert.ok(
            Math.abs(value - (wanted[i] ?? Number.NaN)) <= 1e-5 * size,
            `batch ${batch}, time ${time}, [${i}]: ${value}, of that length alone ${wanted[i]}`,
          );
        }
      }
    });
  }
});
