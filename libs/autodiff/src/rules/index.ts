import type { Rule } from '../rule.ts';
import * as activation from './activation.ts';
import { convolution, transposedConvolution } from './convolution.ts';
import * as elementwise from './elementwise.ts';
import * as indexing from './indexing.ts';
import { einsum, gemm, matmul } from './linear.ts';
import * as normalization from './normalization.ts';
import { averagePool, maxPool } from './pooling.ts';
import * as reduction from './reduction.ts';
import * as selection from './selection.ts';
import * as shape from './shape.ts';

/** Gradient rules by operator of the standard domain. */
export const RULES = {
  Abs: elementwise.abs,
  Add: elementwise.add,
  AveragePool: averagePool,
  BatchNormalization: normalization.batchNormalization,
  Cast: elementwise.cast,
  Clip: selection.clip,
  Concat: shape.concat,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  Cos: elementwise.cosine,
  CumSum: indexing.cumulativeSum,
  Div: elementwise.divide,
  Dropout: elementwise.dropout,
  Einsum: einsum,
  Elu: activation.elu,
  Erf: activation.erf,
  Exp: elementwise.exp,
  Expand: shape.expand,
  Flatten: shape.reshape,
  Gather: indexing.gather,
  Gelu: activation.gelu,
  Gemm: gemm,
  GlobalAveragePool: reduction.globalAveragePool,
  GlobalMaxPool: reduction.globalMaxPool,
  GroupNormalization: normalization.groupNormalization,
  HardSigmoid: activation.hardSigmoid,
  HardSwish: activation.hardSwish,
  Identity: elementwise.identity,
  InstanceNormalization: normalization.instanceNormalization,
  LayerNormalization: normalization.layerNormalization,
  LeakyRelu: activation.leakyRelu,
  Log: elementwise.log,
  LogSoftmax: reduction.logSoftmax,
  MatMul: matmul,
  Max: selection.extremum,
  MaxPool: maxPool,
  Mean: elementwise.variadicMean,
  Min: selection.extremum,
  Mish: activation.mish,
  Mul: elementwise.multiply,
  Neg: elementwise.negate,
  PRelu: activation.pRelu,
  Pad: indexing.pad,
  Pow: elementwise.power,
  Reciprocal: elementwise.reciprocal,
  ReduceL1: reduction.reduceL1,
  ReduceL2: reduction.reduceL2,
  ReduceLogSumExp: reduction.reduceLogSumExp,
  ReduceMax: reduction.reduceExtremum,
  ReduceMean: reduction.reduceMean,
  ReduceMin: reduction.reduceExtremum,
  ReduceSum: reduction.reduceSum,
  ReduceSumSquare: reduction.reduceSumSquare,
  Relu: activation.relu,
  Reshape: shape.reshape,
  Selu: activation.selu,
  Sigmoid: activation.sigmoid,
  Sin: elementwise.sine,
  Slice: indexing.slice,
  Softmax: reduction.softmax,
  Softplus: activation.softplus,
  Softsign: activation.softsign,
  Split: shape.split,
  Sqrt: elementwise.sqrt,
  Squeeze: shape.reshape,
  Sub: elementwise.subtract,
  Sum: elementwise.variadicSum,
  Tanh: activation.tanh,
  Tile: indexing.tile,
  Transpose: shape.transpose,
  Unsqueeze: shape.reshape,
  Where: selection.where,
} as const satisfies Readonly<Record<string, Rule>>;

/** An operator that has a gradient rule. */
export type DifferentiableOp = keyof typeof RULES;

/** Operators whose output is constant almost everywhere, or tells only shapes: no gradient flows, and none is missing. */
export const STOPS: ReadonlySet<string> = new Set([
  'Ceil',
  'Floor',
  'Round',
  'Sign',
  'Shape',
  'Size',
  'ConstantOfShape',
]);

/** The rule of an operator, or undefined where there is none. */
export const ruleOf = (op: string): Rule | undefined => (RULES as Readonly<Record<string, Rule>>)[op];
