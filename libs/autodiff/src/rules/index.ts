import type { Rule } from '../rule.ts';
import { convolution } from './convolution.ts';
import * as elementwise from './elementwise.ts';
import { gemm, matmul } from './linear.ts';
import * as reduction from './reduction.ts';
import * as selection from './selection.ts';
import * as shape from './shape.ts';

/** Gradient rules by operator of the standard domain. */
export const RULES = {
  Abs: elementwise.abs,
  Add: elementwise.add,
  Cast: elementwise.cast,
  Clip: selection.clip,
  Concat: shape.concat,
  Conv: convolution,
  Div: elementwise.divide,
  Exp: elementwise.exp,
  Expand: shape.expand,
  Flatten: shape.reshape,
  Gemm: gemm,
  GlobalAveragePool: reduction.globalAveragePool,
  GlobalMaxPool: reduction.globalMaxPool,
  Identity: elementwise.identity,
  LeakyRelu: elementwise.leakyRelu,
  Log: elementwise.log,
  LogSoftmax: reduction.logSoftmax,
  MatMul: matmul,
  Max: selection.extremum,
  Mean: elementwise.variadicMean,
  Min: selection.extremum,
  Mul: elementwise.multiply,
  Neg: elementwise.negate,
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
  Relu: elementwise.relu,
  Reshape: shape.reshape,
  Sigmoid: elementwise.sigmoid,
  Slice: shape.slice,
  Softmax: reduction.softmax,
  Softplus: elementwise.softplus,
  Split: shape.split,
  Sqrt: elementwise.sqrt,
  Squeeze: shape.reshape,
  Sub: elementwise.subtract,
  Sum: elementwise.variadicSum,
  Tanh: elementwise.tanh,
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
