import { type Attributes, int, ints, string } from '@faultline/onnx';
import { B, type Case, LINEAR } from './case.ts';

const convolution = (about: string, x: readonly number[], w: readonly number[], attributes: Attributes = {}): Case => ({
  op: 'Conv',
  about,
  inputs: [[B, ...x], w, [w[0] ?? 1]],
  build: (b, ...inputs) => b.op('Conv', inputs, attributes),
  ...LINEAR,
});

const transposed = (about: string, x: readonly number[], w: readonly number[], attributes: Attributes): Case => ({
  op: 'ConvTranspose',
  about,
  inputs: [[B, ...x], w, [(w[1] ?? 1) * (attributes.group?.type === 'int' ? attributes.group.value : 1)]],
  build: (b, ...inputs) => b.op('ConvTranspose', inputs, attributes),
  ...LINEAR,
});

const pooling = (op: 'AveragePool' | 'MaxPool', about: string, x: readonly number[], attributes: Attributes): Case => ({
  op,
  about,
  inputs: [[B, ...x]],
  build: (b, input) => b.op(op, [input], attributes),
  // The differences must not swap the largest elements of a window.
  ...(op === 'MaxPool' ? { dataType: 'float32', step: 1e-3 } : LINEAR),
});

export const WINDOWS: readonly Case[] = [
  convolution('3x3 same', [2, 4, 5], [3, 2, 3, 3], { pads: ints([1, 1, 1, 1]) }),
  convolution('3x3 valid', [2, 4, 5], [3, 2, 3, 3]),
  convolution('1x1', [3, 3, 3], [2, 3, 1, 1]),
  convolution('stride 2', [2, 6, 4], [3, 2, 3, 3], { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) }),
  convolution('stride 2, remainder unused', [1, 6, 5], [2, 1, 3, 2], { strides: ints([2, 2]) }),
  convolution('stride 1 by 2, uneven pads', [1, 4, 6], [2, 1, 3, 3], {
    strides: ints([1, 2]),
    pads: ints([0, 1, 2, 0]),
  }),
  convolution('patches', [2, 4, 6], [3, 2, 2, 3], { strides: ints([2, 3]) }),
  convolution('stride beyond the kernel', [1, 5, 7], [2, 1, 1, 2], { strides: ints([2, 3]) }),
  convolution('dilated', [1, 6, 5], [2, 1, 3, 2], { dilations: ints([2, 1]), pads: ints([2, 0, 2, 1]) }),
  convolution('dilated and strided', [1, 7, 8], [1, 1, 2, 3], {
    dilations: ints([3, 2]),
    strides: ints([2, 2]),
    pads: ints([1, 2, 1, 2]),
  }),
  convolution('padded beyond the kernel', [1, 3, 3], [1, 1, 2, 2], { pads: ints([3, 2, 2, 3]) }),
  convolution('strided, padded beyond the kernel', [1, 3, 4], [1, 1, 2, 1], {
    pads: ints([3, 2, 3, 2]),
    strides: ints([2, 2]),
  }),
  convolution('groups, strided', [4, 4, 3], [6, 2, 3, 3], {
    group: int(2),
    strides: ints([2, 1]),
    pads: ints([1, 1, 1, 1]),
  }),
  convolution('groups', [4, 3, 3], [6, 2, 2, 2], { group: int(2) }),
  convolution('depthwise', [3, 4, 4], [3, 1, 3, 3], { group: int(3), pads: ints([1, 1, 1, 1]) }),
  convolution('1-D', [2, 8], [3, 2, 3], { pads: ints([1, 1]) }),
  convolution('1-D strided', [1, 11], [2, 1, 5], { strides: ints([3]), pads: ints([2, 1]) }),
  convolution('SAME_UPPER', [1, 6, 5], [2, 1, 3, 2], { auto_pad: string('SAME_UPPER'), strides: ints([2, 1]) }),
  convolution('SAME_LOWER', [1, 5, 6], [2, 1, 2, 3], { auto_pad: string('SAME_LOWER'), strides: ints([1, 2]) }),
  convolution('3-D', [1, 3, 4, 3], [2, 1, 2, 3, 2], { strides: ints([1, 2, 1]) }),
  {
    op: 'Conv',
    about: 'frames folded into the batch',
    inputs: [[B, 3, 2, 4, 4], [2, 2, 3, 3], [2]],
    build: (b, x, w, bias) => b.op('Conv', [b.reshape(x, [-1, 2, 4, 4]), w, bias], { strides: ints([2, 2]) }),
    ...LINEAR,
  },
  transposed('stride 2', [2, 3, 4], [2, 3, 3, 3], { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) }),
  transposed('output padding, dilated', [2, 3, 3], [2, 1, 2, 2], {
    strides: ints([3, 2]),
    dilations: ints([1, 2]),
    output_padding: ints([2, 1]),
  }),
  transposed('groups, 1-D', [4, 5], [4, 3, 3], { group: int(2), pads: ints([1, 0]) }),
  transposed('SAME_UPPER', [2, 3, 4], [2, 1, 3, 2], { strides: ints([2, 3]), auto_pad: string('SAME_UPPER') }),
  transposed('SAME_LOWER', [2, 3, 4], [2, 1, 4, 3], { strides: ints([1, 2]), auto_pad: string('SAME_LOWER') }),
  transposed('output shape', [2, 3, 4], [2, 1, 4, 3], { strides: ints([3, 2]), output_shape: ints([9, 8]) }),
  transposed('uneven pads', [2, 4, 4], [2, 2, 3, 3], { strides: ints([2, 1]), pads: ints([0, 1, 2, 0]) }),
  transposed('3-D', [1, 2, 2, 3], [1, 2, 2, 1, 2], { strides: ints([2, 1, 1]) }),
  convolution('3-D, groups, dilated', [2, 4, 3, 4], [2, 1, 2, 2, 2], {
    group: int(2),
    dilations: ints([2, 1, 1]),
    pads: ints([1, 0, 0, 0, 1, 1]),
  }),
  convolution('3-D, SAME_UPPER, strided', [1, 3, 4, 3], [2, 1, 2, 3, 2], {
    auto_pad: string('SAME_UPPER'),
    strides: ints([2, 1, 1]),
  }),
  convolution('VALID', [1, 4, 4], [1, 1, 3, 2], { auto_pad: string('VALID') }),
  pooling('AveragePool', 'dilated', [1, 6, 5], { kernel_shape: ints([2, 2]), dilations: ints([2, 3]) }),
  pooling('AveragePool', 'rounded up, padding counted', [1, 6, 6], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    pads: ints([1, 1, 0, 0]),
    ceil_mode: int(1),
    count_include_pad: int(1),
  }),
  pooling('AveragePool', 'SAME_UPPER', [1, 5, 4], {
    kernel_shape: ints([3, 2]),
    strides: ints([2, 1]),
    auto_pad: string('SAME_UPPER'),
  }),
  pooling('AveragePool', '3-D', [1, 2, 4, 3], { kernel_shape: ints([2, 2, 2]), strides: ints([1, 2, 1]) }),
  pooling('MaxPool', 'rounded up, dilated, padded', [1, 7, 6], {
    kernel_shape: ints([2, 3]),
    dilations: ints([2, 1]),
    strides: ints([2, 2]),
    pads: ints([1, 1, 0, 1]),
    ceil_mode: int(1),
  }),
  pooling('MaxPool', 'SAME_LOWER', [1, 5, 4], {
    kernel_shape: ints([3, 2]),
    strides: ints([2, 1]),
    auto_pad: string('SAME_LOWER'),
  }),
  pooling('AveragePool', '2x2', [2, 4, 4], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
  pooling('AveragePool', 'overlapping, padded', [1, 5, 4], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 1]),
    pads: ints([1, 1, 1, 1]),
  }),
  pooling('AveragePool', 'padding counted', [1, 5, 4], {
    kernel_shape: ints([3, 2]),
    pads: ints([1, 0, 1, 1]),
    count_include_pad: int(1),
  }),
  pooling('AveragePool', 'rounded up', [1, 5, 5], {
    kernel_shape: ints([2, 2]),
    strides: ints([2, 2]),
    ceil_mode: int(1),
  }),
  pooling('AveragePool', '1-D', [2, 6], { kernel_shape: ints([2]), strides: ints([2]) }),
  pooling('MaxPool', '2x2', [2, 4, 4], { kernel_shape: ints([2, 2]), strides: ints([2, 2]) }),
  pooling('MaxPool', 'overlapping, padded', [1, 5, 4], {
    kernel_shape: ints([3, 3]),
    strides: ints([2, 2]),
    pads: ints([1, 1, 1, 1]),
  }),
  pooling('MaxPool', 'rounded up', [1, 5, 6], {
    kernel_shape: ints([2, 2]),
    strides: ints([2, 2]),
    ceil_mode: int(1),
  }),
  pooling('MaxPool', 'dilated, remainder unused', [1, 6, 7], {
    kernel_shape: ints([2, 2]),
    dilations: ints([2, 3]),
    strides: ints([1, 2]),
  }),
  pooling('MaxPool', '1-D', [2, 6], { kernel_shape: ints([3]), strides: ints([2]) }),
  pooling('MaxPool', '3-D', [1, 2, 4, 4], { kernel_shape: ints([2, 2, 2]), strides: ints([1, 2, 2]) }),
];
