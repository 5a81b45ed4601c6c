import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  type Attributes,
  decodeModel,
  elementCount,
  encodeModel,
  float,
  float32,
  GraphBuilder,
  int,
  int64,
  ints,
  type Model,
  modelOf,
  OnnxError,
  string,
  upgradeModel,
} from '@faultline/onnx';
import { Session } from './session.ts';
import { float32Data, toOrt } from './tensors.ts';

const irregular = (dims: readonly number[], low = -2, high = 2) =>
  float32(
    Float32Array.from({ length: elementCount(dims) }, (_, i) => low + (high - low) * ((i * 0.618034 + 0.137) % 1)),
    dims,
  );

interface Old {
  readonly about: string;
  readonly opset: number;
  readonly x: readonly number[];
  readonly build: (b: GraphBuilder, x: string) => readonly string[];
}

const one = (
  about: string,
  opset: number,
  x: readonly number[],
  op: string,
  attributes: Attributes = {},
  more: (b: GraphBuilder) => readonly string[] = () => [],
): Old => ({ about, opset, x, build: (b, name) => [b.op(op, [name, ...more(b)], attributes)] });

const vector = (b: GraphBuilder, ...values: readonly number[]) => b.constant(float32(values));

const several = (
  about: string,
  opset: number,
  x: readonly number[],
  op: string,
  attributes: Attributes,
  outputs: number,
  more: (b: GraphBuilder) => readonly string[] = () => [],
): Old => ({
  about,
  opset,
  x,
  build: (b, name) => {
    const made = Array.from({ length: outputs }, () => b.fresh('part'));
    b.add(op, [name, ...more(b)], attributes, made);
    return made;
  },
});

const REDUCTIONS = ['L1', 'L2', 'LogSumExp', 'Max', 'Mean', 'Min', 'Prod', 'Sum', 'SumSquare'];

const CASES: readonly Old[] = [
  ...[11, 12].flatMap((opset) =>
    ['Softmax', 'LogSoftmax', 'Hardmax'].flatMap((op) => [
      one(`${op}, default axis`, opset, [2, 3, 4], op),
      one(`${op}, axis 0`, opset, [2, 3, 4], op, { axis: int(0) }),
      one(`${op}, last axis`, opset, [2, 3, 4], op, { axis: int(-1) }),
      one(`${op}, axis -2`, opset, [2, 3, 4], op, { axis: int(-2) }),
    ]),
  ),
  one('Softmax', 13, [2, 3, 4], 'Softmax', { axis: int(1) }),
  ...REDUCTIONS.flatMap((name) => [
    one(`Reduce${name}, axes`, 11, [2, 3, 4], `Reduce${name}`, { axes: ints([-1, 1]), keepdims: int(0) }),
    one(`Reduce${name}, all axes`, 12, [2, 3], `Reduce${name}`),
  ]),
  one('ReduceMean', 17, [2, 3, 4], 'ReduceMean', { axes: ints([2]) }),
  {
    about: 'ReduceLogSum',
    opset: 11,
    x: [2, 3],
    build: (b, x) => [b.op('ReduceLogSum', [b.op('Exp', [x])], { axes: ints([1]) })],
  },
  one('Squeeze', 11, [2, 1, 3, 1], 'Squeeze', { axes: ints([1, 3]) }),
  one('Squeeze, all', 11, [2, 1, 3, 1], 'Squeeze'),
  one('Unsqueeze', 12, [2, 3], 'Unsqueeze', { axes: ints([0, -1]) }),
  several('Split', 11, [2, 6], 'Split', { axis: int(1), split: ints([4, 2]) }, 2),
  several('Split, equal', 11, [2, 6], 'Split', { axis: int(-1) }, 3),
  several('Split, equal', 13, [2, 6], 'Split', { axis: int(1) }, 2),
  several('Split, given', 17, [2, 6], 'Split', { axis: int(1) }, 2, (b) => [b.ints([1, 5])]),
  one('Clip', 9, [2, 6], 'Clip', { min: float(-0.5), max: float(1) }),
  one('Clip, one bound', 7, [2, 6], 'Clip', { max: float(0.25) }),
  one('Clip, inputs', 11, [2, 6], 'Clip', {}, (b) => [b.scalar(-1), b.scalar(1)]),
  one('Pad', 9, [2, 3], 'Pad', { pads: ints([0, 1, 0, 2]), value: float(1.5) }),
  one('Pad, reflect', 10, [2, 4], 'Pad', { pads: ints([0, 1, 0, 2]), mode: string('reflect') }),
  one('Pad, inputs', 11, [2, 4], 'Pad', {}, (b) => [b.ints([0, 1, 0, 2]), b.scalar(3)]),
  one('Slice', 9, [4, 5], 'Slice', { starts: ints([1, -3]), ends: ints([3, 100]), axes: ints([0, 1]) }),
  one('Slice, no axes', 9, [4, 5], 'Slice', { starts: ints([1]), ends: ints([-1]) }),
  several('TopK', 9, [2, 6], 'TopK', { k: int(3) }, 2),
  several('TopK', 10, [2, 6], 'TopK', { axis: int(0) }, 2, (b) => [b.ints([1])]),
  one('Upsample', 9, [1, 2, 3, 2], 'Upsample', {}, (b) => [vector(b, 1, 1, 2, 3)]),
  one('Upsample, attribute', 7, [1, 2, 3, 2], 'Upsample', { scales: { type: 'floats', value: [1, 1, 2, 2] } }),
  one('Upsample, linear', 9, [1, 2, 3, 4], 'Upsample', { mode: string('linear') }, (b) => [vector(b, 1, 1, 2, 2)]),
  one('Resize', 10, [1, 1, 4, 4], 'Resize', {}, (b) => [vector(b, 1, 1, 0.5, 2)]),
  one('Resize, scales', 11, [1, 1, 4, 4], 'Resize', { mode: string('linear') }, (b) => [
    vector(b),
    vector(b, 1, 1, 2, 1.5),
  ]),
  one('Resize, sizes', 11, [1, 1, 4, 4], 'Resize', { coordinate_transformation_mode: string('align_corners') }, (b) => [
    vector(b),
    vector(b),
    b.ints([1, 1, 6, 3]),
  ]),
  one('Resize, sizes', 13, [1, 1, 4, 4], 'Resize', { mode: string('cubic') }, (b) => ['', '', b.ints([1, 1, 6, 3])]),
  one('Dropout', 7, [2, 3], 'Dropout', { ratio: float(0.5) }),
  one('Dropout', 11, [2, 3], 'Dropout', { ratio: float(0.5) }),
  one('BatchNormalization', 7, [2, 2, 3], 'BatchNormalization', { epsilon: float(0.1) }, (b) => [
    vector(b, 1, 2),
    vector(b, 0.5, 1),
    vector(b, -1, 1),
    vector(b, 2, 3),
  ]),
  one('BatchNormalization', 11, [2, 2, 3], 'BatchNormalization', { momentum: float(0.9) }, (b) => [
    vector(b, 1, 2),
    vector(b, 0.5, 1),
    vector(b, -1, 1),
    vector(b, 2, 3),
  ]),
  one('GroupNormalization', 18, [2, 4, 3], 'GroupNormalization', { num_groups: int(2) }, (b) => [
    vector(b, 1, 2),
    vector(b, 0.5, 1),
  ]),
  one('DFT', 17, [2, 8, 1], 'DFT', { axis: int(1), onesided: int(1) }),
  one('DFT, longer', 18, [2, 6, 1], 'DFT', { axis: int(1) }, (b) => [b.constant(int64([8], []))]),
  one('GridSample', 16, [1, 1, 3, 3], 'GridSample', { mode: string('bilinear') }, (b) => [
    b.constant(irregular([1, 2, 2, 2], -0.9, 0.9)),
  ]),
  one('Scatter', 9, [2, 3], 'Scatter', { axis: int(1) }, (b) => [
    b.constant(int64([1, 0], [2, 1])),
    b.constant(float32([7, 8], [2, 1])),
  ]),
];

function modelOfCase({ x, opset, build }: Old): Model {
  const b = new GraphBuilder();
  for (const output of build(b, b.input('x', x))) b.output(output);
  return { ...modelOf(b.graph(), opset), irVersion: 6 };
}

async function outputsOf(model: Model, x: readonly number[]): Promise<(readonly [readonly number[], number[]])[]> {
  await using session = await Session.create(model, { optimization: 'disabled' });
  const results = await session.run({ x: toOrt(irregular(x)) });
  return session.outputNames.map((name) => {
    const tensor = results[name];
    assert.ok(tensor);
    const data =
      tensor.type === 'float32' ? [...float32Data(tensor)] : Array.from(tensor.data as BigInt64Array, Number);
    return [tensor.dims, data];
  });
}

describe('an upgraded model computes what the original does', () => {
  for (const row of CASES) {
    test(`opset ${row.opset}: ${row.about}`, async () => {
      const model = modelOfCase(row);
      const upgraded = upgradeModel(model);
      assert.equal(upgraded.opset, 21);
      const [before, after] = [
        await outputsOf(model, row.x),
        await outputsOf(decodeModel(encodeModel(upgraded)), row.x),
      ];
      assert.deepEqual(
        after.map(([dims]) => dims),
        before.map(([dims]) => dims),
      );
      for (const [i, [, values]] of before.entries()) {
        for (const [j, value] of values.entries()) {
          const found = after[i]?.[1][j] ?? Number.NaN;
          assert.ok(
            Math.abs(found - value) <= 1e-5 * Math.max(1, Math.abs(value)),
            `${i}[${j}]: ${found}, was ${value}`,
          );
        }
      }
    });
  }
});

test('subgraphs are upgraded with their graph', async () => {
  const branch = (axes: readonly number[], name: string) => {
    const b = new GraphBuilder({ prefix: `${name}/` });
    b.output(b.op('ReduceMean', ['x'], { axes: ints(axes), keepdims: int(1) }), [1, 1]);
    return b.graph(name);
  };
  const b = new GraphBuilder();
  const x = b.input('x', [2, 3]);
  const condition = b.op('Greater', [
    b.op('ReduceMax', [x], { axes: ints([0, 1]), keepdims: int(0) }),
    b.constant(float32([0], [])),
  ]);
  const y = b.op('If', [condition], {
    then_branch: { type: 'graph', value: branch([1], 'then') },
    else_branch: { type: 'graph', value: branch([0], 'else') },
  });
  b.output(y);
  const model = modelOf(b.graph(), 13);
  assert.deepEqual(await outputsOf(upgradeModel(model), [2, 3]), await outputsOf(model, [2, 3]));
});

test('a model of this operator set stays as it is; others are refused', () => {
  const b = new GraphBuilder();
  b.output(b.negate(b.input('x', [1])));
  const model = b.model();
  assert.equal(upgradeModel(model), model);
  assert.throws(() => upgradeModel({ ...model, opset: 6 }), OnnxError);
});

test('training forms are refused by name', () => {
  const b = new GraphBuilder();
  b.add('BatchNormalization', [b.input('x', [1, 1, 2]), 's', 'b', 'm', 'v'], {}, ['y', 'mean'], 'norm');
  b.output('y');
  assert.throws(() => upgradeModel(modelOf(b.graph(), 9)), /BatchNormalization node 'norm' is in its training form/);
});
