import type { GraphBuilder } from '../builder.ts';
import {
  type Attributes,
  float,
  floatAttribute,
  type Graph,
  int,
  intAttribute,
  intsAttribute,
  type Node,
} from '../model.ts';
import { float32 } from '../tensor.ts';
import { projectedAttention } from './attention.ts';
import { input, last, type Rewrite, without } from './rewrite.ts';

/** Levels read as numbers: (levels - zero) x scale. */
const read = (b: GraphBuilder, [levels = '', scale = '', zero = '']: readonly string[], attributes: Attributes = {}) =>
  b.op('DequantizeLinear', zero === '' ? [levels, scale] : [levels, scale, zero], attributes);

const three = (node: Node, from: number): string[] => [input(node, from), input(node, from + 1), input(node, from + 2)];

/** Writes numbers as levels again, under the node's own output. */
const written = (node: Node, value: string, scale: string, zero: string): Node =>
  last(node, 'QuantizeLinear', zero === '' ? [value, scale] : [value, scale, zero]);

/** Channels last -> channels second, for values of four axes. */
const channelsSecond = (b: GraphBuilder, node: Node, value: string) =>
  intAttribute(node, 'channels_last', 0) === 1 ? b.transpose(value, [0, 3, 1, 2]) : value;
const channelsLast = (b: GraphBuilder, node: Node, value: string) =>
  intAttribute(node, 'channels_last', 0) === 1 ? b.transpose(value, [0, 2, 3, 1]) : value;

/** Conv of levels; its bias is in levels of 32 bits whose scale is the product of the others. */
export const quantizedConv: Rewrite = (node, b) => {
  const x = channelsSecond(b, node, read(b, three(node, 0)));
  const operands = [x, read(b, three(node, 3), { axis: int(0) })];
  const bias = input(node, 8);
  if (bias !== '')
    operands.push(b.times(b.op('Cast', [bias], { to: int(1) }), b.times(input(node, 1), input(node, 4))));
  const made = b.op('Conv', operands, without(node, 'channels_last'));
  return written(node, channelsLast(b, node, made), input(node, 6), input(node, 7));
};

/** Scales by column are those of the right operand's columns. */
export const quantizedMatMul: Rewrite = (node, b) => {
  const product = b.matmul(read(b, three(node, 0)), read(b, three(node, 3), { axis: int(-1) }));
  return written(node, product, input(node, 6), input(node, 7));
};

/** alpha A B + C, levels or numbers out. */
export const quantizedGemm: Rewrite = (node, b) => {
  const [transA, transB] = [intAttribute(node, 'transA', 0), intAttribute(node, 'transB', 0)];
  const alpha = floatAttribute(node, 'alpha', 1);
  const right = read(b, three(node, 3), { axis: int(transB === 1 ? 0 : 1) });
  const operands = [read(b, three(node, 0)), right];
  const bias = input(node, 6);
  if (bias !== '') {
    const scale = b.times(input(node, 1), input(node, 4));
    operands.push(b.times(b.op('Cast', [bias], { to: int(1) }), b.times(scale, b.scalar(alpha))));
  }
  const attributes = { transA: int(transA), transB: int(transB), alpha: float(alpha) };
  const made = b.op('Gemm', operands, attributes);
  return input(node, 7) === '' ? last(node, 'Identity', [made]) : written(node, made, input(node, 7), input(node, 8));
};

export const quantizedBinary =
  (op: string): Rewrite =>
  (node, b) =>
    written(node, b.op(op, [read(b, three(node, 0)), read(b, three(node, 3))]), input(node, 6), input(node, 7));

/** Functions of one value whose attributes are those of the standard operator. */
export const quantizedUnary =
  (op: string): Rewrite =>
  (node, b) => {
    const x = channelsSecond(b, node, read(b, three(node, 0)));
    const made = b.op(op, [x], without(node, 'channels_last', 'opset'));
    return written(node, channelsLast(b, node, made), input(node, 3), input(node, 4));
  };

/** Softmax as the model's operator set means it: along one axis from 13 on. */
export const quantizedSoftmax: Rewrite = (node, b) => {
  if (intAttribute(node, 'opset', 13) < 13) return undefined;
  return quantizedUnary('Softmax')({ ...node, attributes: without(node, 'opset') }, b, {} as Graph);
};

export const quantizedReduceMean: Rewrite = (node, b) => {
  const axes = intsAttribute(node, 'axes');
  const inputs = [read(b, three(node, 0)), ...(axes === undefined ? [] : [b.ints(axes)])];
  const made = b.op('ReduceMean', inputs, { keepdims: int(intAttribute(node, 'keepdims', 1)) });
  return written(node, made, input(node, 3), input(node, 4));
};

/** Scale and zero of the result come first, then each part with its own. */
export const quantizedConcat: Rewrite = (node, b) => {
  const count = (node.inputs.length - 2) / 3;
  const parts = Array.from({ length: Math.floor(count) }, (_, i) => read(b, three(node, 2 + 3 * i)));
  return written(node, b.concat(parts, intAttribute(node, 'axis', 0)), input(node, 0), input(node, 1));
};

export const quantizedWhere: Rewrite = (node, b) => {
  const made = b.op('Where', [input(node, 0), read(b, three(node, 1)), read(b, three(node, 4))]);
  return written(node, made, input(node, 7), input(node, 8));
};

const biased = (b: GraphBuilder, value: string, bias: string) => (bias === '' ? value : b.plus(value, bias));

/** Quantises its left operand by its own extrema. */
export const dynamicQuantizeMatMul: Rewrite = (node, b) => {
  const parts = [b.fresh('levels'), b.fresh('scale'), b.fresh('zero')];
  b.add('DynamicQuantizeLinear', [input(node, 0)], {}, parts);
  const product = b.matmul(read(b, parts), read(b, three(node, 1), { axis: int(-1) }));
  return last(node, 'Identity', [biased(b, product, input(node, 4))]);
};

/** The product of levels, as numbers. */
export const matMulIntegerToFloat: Rewrite = (node, b) => {
  const [left, right] = [
    [input(node, 0), input(node, 2), input(node, 4)],
    [input(node, 1), input(node, 3), input(node, 5)],
  ];
  const product = b.matmul(read(b, left), read(b, right, { axis: int(-1) }));
  return last(node, 'Identity', [biased(b, product, input(node, 6))]);
};

/** Attention whose values and weights are levels. */
export const quantizedAttention: Rewrite = (node, b, graph) => {
  const weights = graph.initializers.get(input(node, 1));
  if (weights === undefined || input(node, 8) !== '') return undefined;
  return projectedAttention(node, b, graph, weights.dims[1] ?? 0, {
    x: read(b, [input(node, 0), input(node, 3), input(node, 6)]),
    weights: read(b, [input(node, 1), input(node, 4), input(node, 7)], { axis: int(-1) }),
    bias: input(node, 2),
    mask: input(node, 5),
    scoreBias: '',
  });
};

/** The operator of the private domain that the standard one has become. */
export const sameAsStandard: Rewrite = (node) => ({ ...node, domain: '' });

/** Whether every reader of a value turns it into numbers. */
const onlyCast = (graph: Graph, name: string): boolean =>
  !graph.outputs.some((output) => output.name === name) &&
  graph.nodes.every((node) => !node.inputs.includes(name) || node.op === 'Cast');

/**
 * Products of levels as quantised models write them: integers that are cast and scaled afterwards. Computed in single
 * precision, exactly up to 2^24, and left as numbers, which the casts behind it take too.
 */
export const integerProduct =
  (op: 'MatMul' | 'Conv'): Rewrite =>
  (node, b, graph) => {
    const [made = ''] = node.outputs;
    if (!onlyCast(graph, made)) return undefined;
    const one = b.scalar(1);
    const left = read(b, [input(node, 0), one, input(node, 2)]);
    const zero = graph.initializers.get(input(node, 3));
    const axis = op === 'Conv' ? 0 : -1;
    if (zero !== undefined && zero.dims.length === 1 && zero.data.length > 1) {
      const ones = b.constant(float32(new Float32Array(zero.data.length).fill(1)));
      const right = read(b, [input(node, 1), ones, input(node, 3)], { axis: int(axis) });
      return last(node, op, [left, right], node.attributes);
    }
    return last(node, op, [left, read(b, [input(node, 1), one, input(node, 3)])], node.attributes);
  };
