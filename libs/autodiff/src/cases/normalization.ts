import { float, int } from '@faultline/onnx';
import { B, type Case, CURVED, POSITIVE } from './case.ts';

export const NORMALIZATIONS: readonly Case[] = [
  {
    op: 'BatchNormalization',
    inputs: [[B, 2, 3], [2], [2], [2], [2]],
    build: (b, ...inputs) => b.op('BatchNormalization', inputs, { epsilon: float(0.01) }),
    domain: POSITIVE,
    dataType: 'float32',
    step: 5e-3,
  },
  {
    op: 'LayerNormalization',
    inputs: [[B, 3, 4], [4], [4]],
    build: (b, ...inputs) => b.op('LayerNormalization', inputs),
  },
  {
    op: 'LayerNormalization',
    about: 'two axes, no bias',
    inputs: [
      [B, 3, 2],
      [3, 2],
    ],
    build: (b, ...inputs) => b.op('LayerNormalization', inputs, { axis: int(1), epsilon: float(0.1) }),
  },
  {
    op: 'LayerNormalization',
    about: 'all axes but the batch, scale of the last one',
    inputs: [[B, 3, 4], [4], [3, 4]],
    build: (b, ...inputs) => b.op('LayerNormalization', inputs, { axis: int(-2), epsilon: float(0.1) }),
  },
  {
    op: 'BatchNormalization',
    about: 'of a matrix',
    inputs: [[B, 3], [3], [3], [3], [3]],
    build: (b, ...inputs) => b.op('BatchNormalization', inputs),
    domain: POSITIVE,
    dataType: 'float32',
    step: 5e-3,
  },
  {
    op: 'InstanceNormalization',
    about: '1-D',
    inputs: [[B, 2, 5], [2], [2]],
    build: (b, ...inputs) => b.op('InstanceNormalization', inputs, { epsilon: float(0.1) }),
    ...CURVED,
  },
  {
    op: 'GroupNormalization',
    about: '2-D, one group',
    inputs: [[B, 4, 2, 3], [4], [4]],
    build: (b, ...inputs) => b.op('GroupNormalization', inputs, { num_groups: int(1), epsilon: float(0.1) }),
    ...CURVED,
  },
  {
    op: 'InstanceNormalization',
    inputs: [[B, 2, 3, 2], [2], [2]],
    build: (b, ...inputs) => b.op('InstanceNormalization', inputs, { epsilon: float(0.1) }),
    ...CURVED,
  },
  {
    op: 'GroupNormalization',
    inputs: [[B, 4, 3], [4], [4]],
    build: (b, ...inputs) => b.op('GroupNormalization', inputs, { num_groups: int(2), epsilon: float(0.1) }),
    ...CURVED,
  },
];
