/**
 * Operators of the standard domain that programs may use. All are deterministic functions of their inputs, without control flow,
 * files or state; none makes a size from elements, so that every size is known before a program runs.
 */
export const ALLOWED_OPERATORS: ReadonlySet<string> = new Set(
  [
    // Arithmetic and elementary functions.
    `Abs Add Ceil Clip Div Exp Floor Log Max Mean Min Mod Mul Neg Pow Reciprocal Round Sign Sqrt Sub Sum`,
    `Acos Acosh Asin Asinh Atan Atanh Cos Cosh Erf Sin Sinh Tan Tanh`,
    // Activations.
    `Celu Elu Gelu HardSigmoid HardSwish LeakyRelu LogSoftmax Mish PRelu Relu Selu Sigmoid Softmax Softplus Softsign ThresholdedRelu`,
    // Comparison, logic, selection.
    `And Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Where Xor`,
    // Reduction, order and accumulation.
    `ArgMax ArgMin CumSum Hardmax ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare TopK`,
    // Layout and indexing.
    `Cast Concat Constant ConstantOfShape DepthToSpace Expand EyeLike Flatten Gather GatherElements GatherND Identity OneHot Pad Range
    Reshape ScatterElements ScatterND Shape Size Slice SpaceToDepth Split Squeeze Tile Transpose Trilu Unsqueeze`,
    // Linear maps, filters, resampling, spectra.
    `AveragePool Conv ConvTranspose DFT Einsum Gemm GlobalAveragePool GlobalMaxPool GridSample HammingWindow HannWindow
    InstanceNormalization LayerNormalization LpNormalization MatMul MaxPool MelWeightMatrix Resize STFT`,
  ].flatMap((row) => row.split(/\s+/)),
);
