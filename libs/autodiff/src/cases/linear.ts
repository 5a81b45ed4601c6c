import { type Dimension, float, int, string } from '@faultline/onnx';
import { B, type Case } from './case.ts';

const matmul = (about: string, left: readonly Dimension[], right: readonly Dimension[]): Case => ({
  op: 'MatMul',
  about,
  inputs: [left, right],
  build: (b, x, y) => b.matmul(x, y),
});

const gemm = (transA: number, transB: number): Case => ({
  op: 'Gemm',
  about: `transA ${transA}, transB ${transB}`,
  inputs: [transA ? [3, B] : [B, 3], transB ? [4, 3] : [3, 4], [4]],
  build: (b, ...inputs) =>
    b.op('Gemm', inputs, { transA: int(transA), transB: int(transB), alpha: float(0.5), beta: float(2) }),
});

const einsum = (equation: string, ...inputs: readonly (readonly Dimension[])[]): Case => ({
  op: 'Einsum',
  about: equation,
  inputs,
  build: (b, ...operands) => b.op('Einsum', operands, { equation: string(equation) }),
});

export const LINEARS: readonly Case[] = [
  matmul('weights', [B, 3], [3, 2]),
  matmul('weights, rank 3', [B, 2, 3], [3, 4]),
  matmul('batched', [B, 2, 3], [B, 3, 4]),
  matmul('batched, broadcast', [B, 1, 2, 3], [2, 3, 4]),
  matmul('matrix on the left', [2, 3], [B, 3, 4]),
  matmul('vector on the right', [B, 2, 3], [3]),
  matmul('vector on the left', [3], [B, 3, 4]),
  matmul('vectors', [3], [3]),
  gemm(0, 0),
  gemm(1, 0),
  gemm(0, 1),
  gemm(1, 1),
  einsum('bij,jk->bik', [B, 2, 3], [3, 4]),
  einsum('bhqd,bhkd->bhqk', [B, 2, 3, 4], [B, 2, 5, 4]),
  einsum('bij->bj', [B, 2, 3]),
  einsum('bij,bj', [B, 2, 3], [B, 3]),
  einsum('...ij,...jk->...ik', [B, 2, 3, 4], [B, 2, 4, 2]),
  einsum('...ij,...kj->...ik', [B, 2, 3], [1, 2, 3]),
  einsum('...i,i', [B, 2, 3], [3]),
  einsum('bi,b,ij->j', [B, 2], [B], [2, 3]),
  einsum('bi,bi->', [B, 3], [B, 3]),
  einsum('ij->', [2, 3]),
  einsum('bi,j->bij', [B, 3], [2]),
  einsum('bi,b->bi', [B, 3], [B]),
  einsum('bij,bjk,bkl->bil', [B, 2, 3], [B, 3, 2], [B, 2, 2]),
  einsum('bij->bji', [B, 2, 3]),
  einsum('bii->bi', [B, 3, 3]),
  einsum('bii', [B, 3, 3]),
  einsum('ij,jj->i', [2, 3], [3, 3]),
  einsum('bii,biji->bj', [B, 2, 2], [B, 2, 3, 2]),
  einsum('...ii->...i', [B, 2, 3, 3]),
  matmul('vector times matrix', [3], [3, 2]),
  matmul('both sides broadcast', [B, 1, 2, 3], [1, 4, 3, 2]),
  matmul('matrix times batch of one', [B, 2, 3], [1, 3, 4]),
  ...[[], [1], [1, 4], [B, 1], [B, 4]].map(
    (bias): Case => ({
      op: 'Gemm',
      about: `bias [${bias}]`,
      inputs: [[B, 3], [3, 4], bias],
      build: (b, ...inputs) => b.op('Gemm', inputs),
    }),
  ),
  {
    op: 'Gemm',
    about: 'no bias',
    inputs: [
      [B, 3],
      [3, 4],
    ],
    build: (b, x, w) => b.op('Gemm', [x, w]),
  },
];
