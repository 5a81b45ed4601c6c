import { type Attributes, int, int64, ints } from '@faultline/onnx';
import { B, type Case, CURVED } from './case.ts';

const pooled = (about: string, attributes: Attributes): Case => ({
  op: 'LpPool',
  about,
  inputs: [[B, 2, 5, 4]],
  build: (b, x) => b.op('LpPool', [x], attributes),
  ...CURVED,
});

export const NORMS: readonly Case[] = [
  pooled('2-norm', { kernel_shape: ints([2, 2]), strides: ints([2, 1]) }),
  pooled('1-norm, padded', { kernel_shape: ints([3, 2]), pads: ints([1, 0, 1, 1]), p: int(1) }),
  pooled('3-norm, dilated', { kernel_shape: ints([2, 2]), dilations: ints([2, 1]), p: int(3) }),
  ...[1, 2, 3].map(
    (p): Case => ({
      op: 'GlobalLpPool',
      about: `${p}-norm`,
      inputs: [[B, 2, 3, 2]],
      build: (b, x) => b.op('GlobalLpPool', [x], { p: int(p) }),
      ...CURVED,
    }),
  ),
  {
    op: 'MeanVarianceNormalization',
    inputs: [[2, 3, 2, 2]],
    build: (b, x) => b.op('MeanVarianceNormalization', [x]),
    ...CURVED,
  },
  {
    op: 'MeanVarianceNormalization',
    about: 'axes',
    inputs: [[B, 3, 4]],
    build: (b, x) => b.op('MeanVarianceNormalization', [x], { axes: ints([1, 2]) }),
    ...CURVED,
  },
  {
    op: 'ReverseSequence',
    inputs: [[4, 3, 2]],
    build: (b, x) => b.op('ReverseSequence', [x, b.constant(int64([1, 4, 3]))]),
  },
  {
    op: 'ReverseSequence',
    about: 'batch first',
    inputs: [[2, 4]],
    build: (b, x) => b.op('ReverseSequence', [x, b.constant(int64([3, 2]))], { batch_axis: int(0), time_axis: int(1) }),
  },
];
