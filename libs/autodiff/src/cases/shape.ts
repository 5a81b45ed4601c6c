import { int, int64, string } from '@faultline/onnx';
import { B, type Case } from './case.ts';

const split = (b: Parameters<Case['build']>[0], x: string, sizes: readonly number[], axis: number) => {
  const parts = sizes.map(() => b.fresh('part'));
  b.add('Split', [x, b.ints(sizes)], { axis: int(axis) }, parts);
  return parts;
};

const pad = (mode: string, pads: readonly number[]): Case => ({
  op: 'Pad',
  about: mode,
  inputs: [[B, 4, 3]],
  build: (b, x) => b.op('Pad', [x, b.ints([0, ...pads.slice(0, 2), 0, ...pads.slice(2)])], { mode: string(mode) }),
});

export const SHAPES: readonly Case[] = [
  { op: 'Reshape', inputs: [[B, 2, 6]], build: (b, x) => b.reshape(b.times(x, x), [-1, 3, 2]) },
  { op: 'Flatten', inputs: [[B, 2, 3]], build: (b, x) => b.op('Flatten', [x]) },
  { op: 'Squeeze', inputs: [[B, 1, 3, 1]], build: (b, x) => b.op('Squeeze', [x, b.ints([1, -1])]) },
  { op: 'Unsqueeze', inputs: [[B, 3]], build: (b, x) => b.op('Unsqueeze', [x, b.ints([0, 2])]) },
  { op: 'Transpose', inputs: [[B, 2, 3]], build: (b, x) => b.transpose(x, [2, 0, 1]) },
  { op: 'Transpose', about: 'default order', inputs: [[B, 2, 3]], build: (b, x) => b.op('Transpose', [x]) },
  { op: 'Expand', inputs: [[B, 1]], build: (b, x) => b.op('Expand', [x, b.ints([2, 1, 3])]) },
  { op: 'Tile', inputs: [[B, 2, 3]], build: (b, x) => b.op('Tile', [x, b.ints([1, 3, 2])]) },
  { op: 'Tile', about: 'batch axis', inputs: [[B, 2]], build: (b, x) => b.op('Tile', [x, b.ints([3, 1])]) },
  { op: 'CumSum', inputs: [[B, 4]], build: (b, x) => b.op('CumSum', [x, b.constant(int64([1], []))]) },
  {
    op: 'CumSum',
    about: 'exclusive, reverse',
    inputs: [[B, 4]],
    build: (b, x) => b.op('CumSum', [x, b.constant(int64([1], []))], { exclusive: int(1), reverse: int(1) }),
  },
  {
    op: 'Concat',
    inputs: [
      [B, 2, 2],
      [B, 3, 2],
      [B, 1, 2],
    ],
    build: (b, ...inputs) => b.concat(inputs, 1),
  },
  {
    op: 'Concat',
    about: 'negative axis, one input twice, one wanted',
    inputs: [
      [B, 2],
      [B, 3],
    ],
    build: (b, x, y) => b.concat([y, x, y], -1),
    wrt: [1],
  },
  {
    op: 'Split',
    inputs: [[B, 6]],
    build: (b, x) => {
      const [left = '', right = ''] = split(b, x, [2, 4], 1);
      return b.concat([b.times(right, right), left], 1);
    },
  },
  {
    op: 'Split',
    about: 'one part unused',
    inputs: [[B, 6]],
    build: (b, x) => {
      const [, right = ''] = split(b, x, [3, 3], -1);
      return b.times(right, right);
    },
  },
  { op: 'Slice', inputs: [[B, 5, 4]], build: (b, x) => b.slice(x, [1, -3], [4, -1], [1, 2]) },
  { op: 'Slice', about: 'step 2', inputs: [[B, 7]], build: (b, x) => b.slice(x, [1], [100], [1], [2]) },
  { op: 'Slice', about: 'backwards', inputs: [[B, 5]], build: (b, x) => b.slice(x, [-1], [-100], [-1], [-1]) },
  { op: 'Slice', about: 'backwards by 2', inputs: [[B, 6]], build: (b, x) => b.slice(x, [4], [0], [1], [-2]) },
  { op: 'Slice', about: 'whole batch axis', inputs: [[B, 6]], build: (b, x) => b.slice(x, [0, 1], [1000, 3], [0, 1]) },
  pad('constant', [1, 0, 2, 1]),
  pad('constant', [-1, 0, 2, -1]),
  pad('reflect', [3, 1, 2, 2]),
  pad('edge', [2, 0, 5, 1]),
  pad('wrap', [2, 1, 1, 3]),
  {
    op: 'Pad',
    about: 'axes and value given',
    inputs: [[B, 3]],
    build: (b, x) => b.op('Pad', [x, b.ints([1, 2]), b.scalar(3), b.ints([-1])]),
  },
  {
    op: 'Slice',
    about: 'starts computed',
    inputs: [[B, 5, 4]],
    build: (b, x) => {
      const largest = b.op('ArgMax', [b.reduceSum(x, [0, 2], false)], { keepdims: int(1) });
      const at = b.op('Mod', [b.reshape(largest, [1]), b.ints([3])]);
      return b.op('Slice', [
        x,
        b.concat([at, b.ints([-3])], 0),
        b.concat([b.op('Add', [at, b.ints([2])]), b.ints([100])], 0),
        b.ints([1, 2]),
      ]);
    },
  },
  {
    op: 'Pad',
    about: 'amounts computed',
    inputs: [[B, 3]],
    build: (b, x) => {
      const largest = b.reshape(b.op('ArgMax', [b.reduceSum(x, [0], false)], { keepdims: int(1) }), [1]);
      const one = b.op('Min', [largest, b.ints([0])]);
      return b.op('Pad', [x, b.concat([b.op('Add', [one, b.ints([1])]), b.ints([2])], 0), '', b.ints([-1])]);
    },
  },
  {
    op: 'Pad',
    about: 'the filling too, cropped at one end',
    inputs: [[B, 4, 3], []],
    build: (b, x, value) => b.op('Pad', [x, b.ints([0, 1, -1, 0, 2, 3]), value]),
  },
  {
    op: 'Split',
    about: 'equal parts, the last one smaller',
    inputs: [[B, 5]],
    build: (b, x) => {
      const parts = ['a', 'b', 'c'].map((name) => b.fresh(name));
      b.add('Split', [x], { axis: int(1), num_outputs: int(3) }, parts);
      return b.concat([b.times(parts[0] ?? '', parts[1] ?? ''), parts[2] ?? ''], 1);
    },
  },
  { op: 'Squeeze', about: 'every axis of size 1', inputs: [[B, 1, 3, 1]], build: (b, x) => b.op('Squeeze', [x]) },
  { op: 'Flatten', about: 'at axis 0', inputs: [[B, 2, 3]], build: (b, x) => b.op('Flatten', [x], { axis: int(0) }) },
  { op: 'Flatten', about: 'at axis -1', inputs: [[B, 2, 3]], build: (b, x) => b.op('Flatten', [x], { axis: int(-1) }) },
  { op: 'Expand', about: 'both ways', inputs: [[B, 1, 3]], build: (b, x) => b.op('Expand', [x, b.ints([4, 1])]) },
  {
    op: 'Reshape',
    about: 'sizes copied by 0',
    inputs: [[B, 4, 3]],
    build: (b, x) => b.op('Reshape', [x, b.ints([0, 2, -1])]),
  },
  {
    op: 'Reshape',
    about: 'shape computed from the shape, as exporters do',
    inputs: [[B, 4, 3]],
    build: (b, x) => {
      const size = b.op('Gather', [b.op('Shape', [x]), b.constant(int64([0], []))]);
      return b.op('Reshape', [x, b.concat([b.op('Unsqueeze', [size, b.ints([0])]), b.ints([-1])], 0)]);
    },
  },
  {
    op: 'CumSum',
    about: 'exclusive, negative axis',
    inputs: [[B, 4, 2]],
    build: (b, x) => b.op('CumSum', [x, b.constant(int64([-2], []))], { exclusive: int(1) }),
  },
  {
    op: 'CumSum',
    about: 'reverse',
    inputs: [[B, 4]],
    build: (b, x) => b.op('CumSum', [x, b.constant(int64([1], []))], { reverse: int(1) }),
  },
  {
    op: 'Gather',
    inputs: [[B, 5]],
    build: (b, x) => b.op('Gather', [x, b.constant(int64([3, 0, -1, 3], [2, 2]))], { axis: int(1) }),
  },
  {
    op: 'Gather',
    about: 'one index',
    inputs: [[B, 3, 2]],
    build: (b, x) => b.op('Gather', [x, b.constant(int64([1], []))], { axis: int(1) }),
  },
  {
    op: 'Gather',
    about: 'one element many times',
    inputs: [[B, 3, 2]],
    build: (b, x) => b.op('Gather', [x, b.ints([1, 1, 1, 1, 1, 0])], { axis: int(1) }),
  },
  {
    op: 'Gather',
    about: 'indices computed',
    inputs: [[4, 3]],
    build: (b, x) => {
      const order = b.op('Cast', [b.op('Abs', [b.slice(x, [0], [2], [1])])], { to: int(7) });
      return b.op('Gather', [x, order], { axis: int(0) });
    },
  },
  {
    op: 'Gather',
    about: 'indices computed, inner axis',
    inputs: [[B, 3, 2]],
    build: (b, x) => {
      const order = b.op('Cast', [b.op('Abs', [b.reduceSum(x, [0, 1], false)])], { to: int(7) });
      return b.op('Gather', [x, b.op('Mod', [order, b.constant(int64([3], []))])], { axis: int(1) });
    },
  },
];
