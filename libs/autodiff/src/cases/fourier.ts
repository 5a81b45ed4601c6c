import { type Attributes, int, int64 } from '@faultline/onnx';
import { B, type Case, LINEAR } from './case.ts';

const transform = (
  about: string,
  x: readonly number[],
  axis: number,
  attributes: Attributes,
  length?: number,
): Case => ({
  op: 'DFT',
  about,
  inputs: [[B, ...x]],
  build: (b, input) =>
    b.op(
      'DFT',
      [input, length === undefined ? '' : b.constant(int64([length], [])), b.constant(int64([axis], []))],
      attributes,
    ),
  ...LINEAR,
});

export const FOURIER: readonly Case[] = [
  transform('real', [6, 1], 1, {}),
  transform('one-sided', [7, 1], -2, { onesided: int(1) }),
  transform('complex', [5, 2], 1, {}),
  transform('inverse', [6, 2], 1, { inverse: int(1) }),
  transform('padded', [5, 1], 1, { onesided: int(1) }, 8),
  transform('cropped', [6, 2], 1, {}, 4),
  transform('inner axis', [4, 3, 1], 1, { onesided: int(1) }),
  {
    op: 'STFT',
    about: 'window',
    inputs: [[B, 20, 1]],
    build: (b, x) => {
      const window = b.op('HannWindow', [b.constant(int64([8], []))]);
      return b.op('STFT', [x, b.constant(int64([3], [])), window]);
    },
    ...LINEAR,
  },
  {
    op: 'STFT',
    about: 'frame length, both sides',
    inputs: [[B, 12, 1]],
    build: (b, x) =>
      b.op('STFT', [x, b.constant(int64([4], [])), '', b.constant(int64([6], []))], { onesided: int(0) }),
    ...LINEAR,
  },
];
