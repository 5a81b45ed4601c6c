import type { Graph, Model } from '../model.ts';
import { type NodeRewrite, rewriteNodes } from '../rewrite.ts';
import { attention, embedLayerNormalization, multiHeadAttention, standardAttention, swish } from './attention.ts';
import * as basic from './basic.ts';
import * as quantized from './quantized.ts';
import type { Rewrite } from './rewrite.ts';

/** Domain in which optimisers leave fused operators. */
const FUSED_DOMAIN = 'com.microsoft';

const { rmsNormalization } = basic;

/** Operators of the standard domain: whole-integer ones, those newer than the set that graphs are written in. */
const STANDARD: Readonly<Record<string, Rewrite>> = {
  Attention: standardAttention,
  ConvInteger: quantized.integerProduct('Conv'),
  GRU: basic.sequenceFirst,
  LSTM: basic.sequenceFirst,
  MatMulInteger: quantized.integerProduct('MatMul'),
  QLinearConv: quantized.quantizedConv,
  QLinearMatMul: quantized.quantizedMatMul,
  RMSNormalization: rmsNormalization,
  RNN: basic.sequenceFirst,
  SimplifiedLayerNormalization: rmsNormalization,
  Swish: swish,
};

const FUSED: Readonly<Record<string, Rewrite>> = {
  Attention: attention,
  BiasGelu: basic.gelu('none'),
  DequantizeLinear: quantized.sameAsStandard,
  DynamicQuantizeMatMul: quantized.dynamicQuantizeMatMul,
  EmbedLayerNormalization: embedLayerNormalization,
  FastGelu: basic.gelu('tanh'),
  FusedConv: basic.fusedConv,
  FusedGemm: basic.fusedGemm,
  FusedMatMul: basic.fusedMatMul,
  Gelu: basic.gelu('none'),
  MatMulIntegerToFloat: quantized.matMulIntegerToFloat,
  MultiHeadAttention: multiHeadAttention,
  Pad: quantized.sameAsStandard,
  QAttention: quantized.quantizedAttention,
  QGemm: quantized.quantizedGemm,
  QLinearAdd: quantized.quantizedBinary('Add'),
  QLinearAveragePool: quantized.quantizedUnary('AveragePool'),
  QLinearConcat: quantized.quantizedConcat,
  QLinearConv: quantized.quantizedConv,
  QLinearGlobalAveragePool: quantized.quantizedUnary('GlobalAveragePool'),
  QLinearLeakyRelu: quantized.quantizedUnary('LeakyRelu'),
  QLinearMul: quantized.quantizedBinary('Mul'),
  QLinearReduceMean: quantized.quantizedReduceMean,
  QLinearSigmoid: quantized.quantizedUnary('Sigmoid'),
  QLinearSoftmax: quantized.quantizedSoftmax,
  QLinearWhere: quantized.quantizedWhere,
  QuantizeLinear: quantized.sameAsStandard,
  QuickGelu: basic.quickGelu,
  SimplifiedLayerNormalization: rmsNormalization,
  SkipLayerNormalization: basic.skipLayerNormalization,
  SkipSimplifiedLayerNormalization: basic.skipRmsNormalization,
  TransposeMatMul: basic.fusedMatMul,
  Trilu: quantized.sameAsStandard,
};

/** Operators that are rewritten, by domain. */
export const REWRITTEN = { '': Object.keys(STANDARD), [FUSED_DOMAIN]: Object.keys(FUSED) } as const;

const rewrite: NodeRewrite = (node, b, graph) => {
  const table = node.domain === '' ? STANDARD : node.domain === FUSED_DOMAIN ? FUSED : {};
  return table[node.op]?.(node, b, graph) ?? node;
};

const domainsOf = (graph: Graph, into = new Set<string>()): Set<string> => {
  for (const { domain, attributes } of graph.nodes) {
    into.add(domain);
    for (const attribute of Object.values(attributes)) if (attribute.type === 'graph') domainsOf(attribute.value, into);
  }
  return into;
};

/**
 * Writes fused and quantised operators by standard ones of operator set 21, to which the model is upgraded first. Forms
 * without a rewriting stay as they are.
 */
export function rewriteFused(model: Model): Model {
  const graph = rewriteNodes(model.graph, rewrite, 'standard/');
  const used = domainsOf(graph);
  return { ...model, graph, domains: new Map([...model.domains].filter(([domain]) => used.has(domain))) };
}
