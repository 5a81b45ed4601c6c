import type { Rule } from '../rule.ts';
import * as activation from './activation.ts';
import { convolution, transposedConvolution } from './convolution.ts';
import { einsum } from './einsum.ts';
import * as elementwise from './elementwise.ts';
import * as indexing from './indexing.ts';
import { gemm, matmul } from './linear.ts';
import * as normalization from './normalization.ts';
import { averagePool, maxPool } from './pooling.ts';
import * as quantization from './quantization.ts';
import * as reduction from './reduction.ts';
import { resize } from './resize.ts';
import * as scatter from './scatter.ts';
import * as selection from './selection.ts';
import * as shape from './shape.ts';
import * as trigonometry from './trigonometry.ts';

/** Gradient rules by operator of the standard domain. */
export const RULES = {
  Abs: elementwise.abs,
  Acos: trigonometry.arcCosine,
  Acosh: trigonometry.inverseHyperbolicCosine,
  Add: elementwise.add,
  Asin: trigonometry.arcSine,
  Asinh: trigonometry.inverseHyperbolicSine,
  Atan: trigonometry.arcTangent,
  Atanh: trigonometry.inverseHyperbolicTangent,
  AveragePool: averagePool,
  BatchNormalization: normalization.batchNormalization,
  Cast: elementwise.cast,
  Celu: activation.celu,
  Clip: selection.clip,
  Concat: shape.concat,
  Conv: convolution,
  ConvTranspose: transposedConvolution,
  Cos: elementwise.cosine,
  Cosh: trigonometry.hyperbolicCosine,
  CumSum: indexing.cumulativeSum,
  DepthToSpace: indexing.depthToSpace,
  DequantizeLinear: quantization.dequantizeLinear,
  Div: elementwise.divide,
  Dropout: elementwise.dropout,
  DynamicQuantizeLinear: quantization.dynamicQuantizeLinear,
  Einsum: einsum,
  Elu: activation.elu,
  Erf: activation.erf,
  Exp: elementwise.exp,
  Expand: shape.expand,
  Flatten: shape.reshape,
  Gather: indexing.gather,
  GatherElements: scatter.gatherElements,
  GatherND: scatter.gatherND,
  Gelu: activation.gelu,
  Gemm: gemm,
  GlobalAveragePool: reduction.globalAveragePool,
  GlobalMaxPool: reduction.globalMaxPool,
  GroupNormalization: normalization.groupNormalization,
  HardSigmoid: activation.hardSigmoid,
  HardSwish: activation.hardSwish,
  Identity: elementwise.identity,
  InstanceNormalization: normalization.instanceNormalization,
  LRN: normalization.localResponseNormalization,
  LayerNormalization: normalization.layerNormalization,
  LeakyRelu: activation.leakyRelu,
  Log: elementwise.log,
  LogSoftmax: reduction.logSoftmax,
  LpNormalization: normalization.lpNormalization,
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
  QuantizeLinear: quantization.quantizeLinear,
  Reciprocal: elementwise.reciprocal,
  ReduceL1: reduction.reduceL1,
  ReduceL2: reduction.reduceL2,
  ReduceLogSum: reduction.reduceLogSum,
  ReduceLogSumExp: reduction.reduceLogSumExp,
  ReduceMax: reduction.reduceExtremum,
  ReduceMean: reduction.reduceMean,
  ReduceMin: reduction.reduceExtremum,
  ReduceProd: reduction.reduceProduct,
  ReduceSum: reduction.reduceSum,
  ReduceSumSquare: reduction.reduceSumSquare,
  Relu: activation.relu,
  Reshape: shape.reshape,
  Resize: resize,
  ReverseSequence: indexing.reverseSequence,
  ScatterElements: scatter.scatterElements,
  ScatterND: scatter.scatterND,
  Selu: activation.selu,
  Shrink: activation.shrink,
  Sigmoid: activation.sigmoid,
  Sin: elementwise.sine,
  Sinh: trigonometry.hyperbolicSine,
  Slice: indexing.slice,
  Softmax: reduction.softmax,
  Softplus: activation.softplus,
  Softsign: activation.softsign,
  SpaceToDepth: indexing.spaceToDepth,
  Split: shape.split,
  Sqrt: elementwise.sqrt,
  Squeeze: shape.reshape,
  Sub: elementwise.subtract,
  Sum: elementwise.variadicSum,
  Tan: trigonometry.tangent,
  Tanh: activation.tanh,
  ThresholdedRelu: activation.thresholdedRelu,
  Tile: indexing.tile,
  TopK: scatter.topK,
  Transpose: shape.transpose,
  Trilu: indexing.triangle,
  Unsqueeze: shape.reshape,
  Where: selection.where,
} as const satisfies Readonly<Record<string, Rule>>;

/** An operator that has a gradient rule. */
export type DifferentiableOp = keyof typeof RULES;

/** Operators whose output is constant almost everywhere, or tells only shapes: no gradient flows, and none is missing. */
export const STOPS: ReadonlySet<string> = new Set(
  `ArgMax ArgMin Bernoulli Ceil ConstantOfShape Equal EyeLike Floor Greater GreaterOrEqual Hardmax IsInf IsNaN Less LessOrEqual
  NonZero RandomNormalLike RandomUniformLike Round Shape Sign Size`.split(/\s+/),
);

/** Of these, the operators that gradients can be asked to pass as if they were the identity. */
export const ROUNDINGS: ReadonlyMap<string, Rule> = new Map(
  ['Ceil', 'Floor', 'Round'].map((op) => [op, quantization.straightThrough]),
);

/** Operators whose rule is an estimate: rounding to levels passes the gradient straight through. */
export const ESTIMATES: ReadonlySet<string> = new Set(['QuantizeLinear', 'DynamicQuantizeLinear']);

/** Operators that move quantised levels without changing them; gradients pass them as they pass floating values. */
export const MOVES: ReadonlySet<string> = new Set(
  'Concat DepthToSpace Expand Flatten Gather Identity Reshape Slice SpaceToDepth Split Squeeze Tile Transpose Unsqueeze'.split(
    ' ',
  ),
);

/** The rule of an operator, or undefined where there is none. */
export const ruleOf = (op: string): Rule | undefined => (RULES as Readonly<Record<string, Rule>>)[op];
