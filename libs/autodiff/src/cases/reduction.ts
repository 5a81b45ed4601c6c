import { float32, int, int64 } from '@faultline/onnx';
import { B, type Case, CURVED, LINEAR } from './case.ts';

const reduction = (op: string, more: Partial<Case> = {}): Case[] => [
  { op, about: 'kept axes', inputs: [[B, 3, 4]], build: (b, x) => b.op(op, [x, b.ints([1, -1])]), ...more },
  {
    op,
    about: 'dropped axis',
    inputs: [[B, 3, 4]],
    build: (b, x) => b.op(op, [x, b.ints([1])], { keepdims: int(0) }),
    ...more,
  },
  { op, about: 'all axes', inputs: [[B, 3]], build: (b, x) => b.op(op, [x], { keepdims: int(0) }), ...more },
  {
    op,
    about: 'beside an axis of several times the batch',
    inputs: [[B, 4, 3]],
    build: (b, x) => b.op(op, [b.reshape(x, [-1, 3]), b.ints([1])], { keepdims: int(0) }),
    ...more,
  },
];

export const REDUCTIONS: readonly Case[] = [
  ...reduction('ReduceSum'),
  ...reduction('ReduceMean'),
  ...reduction('ReduceMax'),
  ...reduction('ReduceMin'),
  ...reduction('ReduceSumSquare'),
  ...reduction('ReduceLogSumExp'),
  ...reduction('ReduceL1', CURVED),
  ...reduction('ReduceL2', CURVED),
  ...reduction('ReduceLogSum', { domain: [0.3, 2], ...CURVED }),
  ...reduction('ReduceProd', { ...CURVED, step: 1e-3 }),
  {
    op: 'ReduceProd',
    about: 'zeros among the elements',
    inputs: [[B, 3]],
    build: (b, x) => {
      const masks = [b.constant(float32([1, 0, 1])), b.constant(float32([1, 0, 0]))];
      return b.concat(
        masks.map((mask) => b.op('ReduceProd', [b.times(x, mask), b.ints([1])])),
        1,
      );
    },
    ...CURVED,
  },
  {
    op: 'ReduceMean',
    about: 'no axes, no operation',
    inputs: [[B, 3]],
    build: (b, x) => b.op('ReduceMean', [x], { noop_with_empty_axes: int(1) }),
  },
  {
    op: 'ReduceSum',
    about: 'an empty list of axes, no operation',
    inputs: [[B, 3]],
    build: (b, x) => b.op('ReduceSum', [x, b.ints([])], { noop_with_empty_axes: int(1) }),
  },
  {
    op: 'ReduceMax',
    about: 'an empty list of axes, all of them',
    inputs: [[B, 3]],
    build: (b, x) => b.op('ReduceMax', [x, b.ints([])]),
  },
  {
    op: 'ReduceMean',
    about: 'axes computed from a shape',
    inputs: [[B, 3, 4]],
    build: (b, x) => {
      const rank = b.op('Size', [b.op('Shape', [x])]);
      return b.op('ReduceMean', [x, b.op('Range', [b.constant(int64([1], [])), rank, b.constant(int64([1], []))])]);
    },
  },
  {
    op: 'GlobalAveragePool',
    about: '1-D',
    inputs: [[B, 2, 5]],
    build: (b, x) => b.op('GlobalAveragePool', [x]),
    ...LINEAR,
  },
  {
    op: 'GlobalAveragePool',
    about: '3-D',
    inputs: [[B, 2, 2, 3, 2]],
    build: (b, x) => b.op('GlobalAveragePool', [x]),
    ...LINEAR,
  },
  { op: 'Softmax', about: 'first axis', inputs: [[3, 2]], build: (b, x) => b.op('Softmax', [x], { axis: int(0) }) },
  { op: 'GlobalAveragePool', inputs: [[B, 2, 3, 2]], build: (b, x) => b.op('GlobalAveragePool', [x]), ...LINEAR },
  { op: 'GlobalMaxPool', inputs: [[B, 2, 3, 2]], build: (b, x) => b.op('GlobalMaxPool', [x]), ...CURVED },
  { op: 'Softmax', inputs: [[B, 4]], build: (b, x) => b.op('Softmax', [x]) },
  { op: 'Softmax', about: 'inner axis', inputs: [[B, 3, 2]], build: (b, x) => b.op('Softmax', [x], { axis: int(1) }) },
  { op: 'LogSoftmax', inputs: [[B, 3, 2]], build: (b, x) => b.op('LogSoftmax', [x], { axis: int(-2) }) },
];
