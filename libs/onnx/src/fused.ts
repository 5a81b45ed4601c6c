import type { GraphBuilder } from './builder.ts';
import {
  type Attributes,
  float,
  floatAttribute,
  type Graph,
  int,
  intAttribute,
  intsAttribute,
  type Model,
  type Node,
  string,
  stringAttribute,
} from './model.ts';
import { type NodeRewrite, rewriteNodes } from './rewrite.ts';

/** Domain in which optimisers leave fused operators. */
const FUSED_DOMAIN = 'com.microsoft';

/** Writes what comes before and returns the last node, or undefined where this form of the operator has no rewriting. */
type Rewrite = (node: Node, b: GraphBuilder, graph: Graph) => Node | undefined;

const last = (node: Node, op: string, inputs: readonly string[], attributes: Attributes = {}): Node => ({
  name: node.name,
  op,
  domain: '',
  inputs,
  outputs: node.outputs.slice(0, 1),
  attributes,
});

const input = (node: Node, i: number): string => node.inputs[i] ?? '';

const without = (node: Node, ...names: readonly string[]): Attributes =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));

/** A number as a constant of the element type of `like`. */
const numberLike = (b: GraphBuilder, value: number, like: string) => b.op('CastLike', [b.scalar(value), like]);

const ACTIVATION_PARAMETERS: Readonly<Record<string, readonly string[]>> = {
  LeakyRelu: ['alpha'],
  HardSigmoid: ['alpha', 'beta'],
  Elu: ['alpha'],
};

/** The activation that a fused node applies at its end; Clip's bounds are inputs now. */
function activated(node: Node, b: GraphBuilder, value: string, parameters: readonly number[]): Node | undefined {
  const activation = stringAttribute(node, 'activation', '');
  if (activation === '') return last(node, 'Identity', [value]);
  if (activation === 'Clip') {
    const [low = 0, high = 0] = parameters;
    return last(node, 'Clip', [value, numberLike(b, low, value), numberLike(b, high, value)]);
  }
  const names = ACTIVATION_PARAMETERS[activation] ?? [];
  if (names.length === 0 && !['Relu', 'Tanh', 'Sigmoid', 'Softplus', 'HardSwish'].includes(activation))
    return undefined;
  const given = names.flatMap((name, i) =>
    parameters[i] === undefined ? [] : [[name, float(parameters[i])] as const],
  );
  return last(node, activation, [value], Object.fromEntries(given));
}

const floatsAttribute = (node: Node, name: string): readonly number[] => {
  const attribute = node.attributes[name];
  return attribute?.type === 'floats' ? attribute.value : [];
};

const fusedConv: Rewrite = (node, b) => {
  const plain = without(node, 'activation', 'activation_params');
  const convolved = b.op('Conv', node.inputs.slice(0, 3), plain);
  const sum = input(node, 3) === '' ? convolved : b.plus(convolved, input(node, 3));
  return activated(node, b, sum, floatsAttribute(node, 'activation_params'));
};

const fusedGemm: Rewrite = (node, b) => {
  const own = ['activation', 'activation_alpha', 'activation_beta', 'activation_gamma'];
  const multiplied = b.op('Gemm', node.inputs, without(node, ...own));
  const parameters = own.slice(1).flatMap((name) => (node.attributes[name] ? [floatAttribute(node, name, 0)] : []));
  return activated(node, b, multiplied, parameters);
};

/** Matrix product of transposed operands, scaled; their rank is unknown, so an ellipsis stands for the batch. */
const fusedMatMul: Rewrite = (node, b) => {
  if (intAttribute(node, 'transBatchA', 0) === 1 || intAttribute(node, 'transBatchB', 0) === 1) return undefined;
  const [transA, transB] = [intAttribute(node, 'transA', 0) === 1, intAttribute(node, 'transB', 0) === 1];
  const alpha = floatAttribute(node, 'alpha', 1);
  const operands = [input(node, 0), input(node, 1)];
  const equation = string(`...${transA ? 'ji' : 'ij'},...${transB ? 'kj' : 'jk'}->...ik`);
  const made = transA || transB ? b.op('Einsum', operands, { equation }) : b.op('MatMul', operands);
  return last(node, 'Mul', [made, numberLike(b, alpha, made)]);
};

const gelu =
  (approximate: 'none' | 'tanh'): Rewrite =>
  (node, b) => {
    const x = input(node, 1) === '' ? input(node, 0) : b.plus(input(node, 0), input(node, 1));
    return last(node, 'Gelu', [x], { approximate: string(approximate) });
  };

/** x sigmoid(alpha x) */
const quickGelu: Rewrite = (node, b) => {
  const x = input(node, 0);
  const gate = b.op('Sigmoid', [b.times(x, numberLike(b, floatAttribute(node, 'alpha', 1.702), x))]);
  return last(node, 'Mul', [x, gate]);
};

/** More axes than any normalisation has. */
const MOST_AXES = 16;

/** x scale / root of the mean square over the axes from `axis` on (negative: the last ones). */
function rootMeanSquare(b: GraphBuilder, node: Node, x: string, scale: string, epsilon: number): Node | undefined {
  const axis = intAttribute(node, 'axis', -1);
  if (axis >= 0 || axis < -MOST_AXES) return undefined;
  const axes = Array.from({ length: -axis }, (_, i) => axis + i);
  const mean = b.op('ReduceMean', [b.times(x, x), b.ints(axes)]);
  const root = b.op('Sqrt', [b.plus(mean, numberLike(b, epsilon, x))]);
  return last(node, 'Mul', [b.over(x, root), scale]);
}

const rmsNormalization: Rewrite = (node, b) =>
  node.outputs.slice(1).some((output) => output !== '')
    ? undefined
    : rootMeanSquare(b, node, input(node, 0), input(node, 1), floatAttribute(node, 'epsilon', 1e-5));

/** Sum of input, skip connection and bias, which is the fourth output too. */
function skipSum(node: Node, b: GraphBuilder, bias: string): string | undefined {
  if ((node.outputs[1] ?? '') !== '' || (node.outputs[2] ?? '') !== '') return undefined;
  const sum = b.plus(input(node, 0), input(node, 1));
  const whole = bias === '' ? sum : b.plus(sum, bias);
  const wanted = node.outputs[3] ?? '';
  if (wanted !== '') b.add('Identity', [whole], {}, [wanted]);
  return whole;
}

/** Default epsilon of the skip normalisations. */
const SKIP_EPSILON = 1e-12;

const skipLayerNormalization: Rewrite = (node, b) => {
  const sum = skipSum(node, b, input(node, 4));
  if (sum === undefined) return undefined;
  const epsilon = float(floatAttribute(node, 'epsilon', SKIP_EPSILON));
  const shift = input(node, 3) === '' ? [] : [input(node, 3)];
  return last(node, 'LayerNormalization', [sum, input(node, 2), ...shift], { axis: int(-1), epsilon });
};

const skipRmsNormalization: Rewrite = (node, b) => {
  const sum = skipSum(node, b, input(node, 3));
  return sum === undefined
    ? undefined
    : rootMeanSquare(b, node, sum, input(node, 2), floatAttribute(node, 'epsilon', SKIP_EPSILON));
};

/** Softmax(q k^T scale + bias) v of heads [batch, heads, sequence, size], heads joined again at the end. */
function attend(
  node: Node,
  b: GraphBuilder,
  [q, k, v]: readonly [string, string, string],
  scale: number,
  bias: string,
): Node {
  const keys = b.transpose(k, [0, 1, 3, 2]);
  const scaled = b.times(b.matmul(q, keys), numberLike(b, scale, q));
  const scores = b.op('Softmax', [bias === '' ? scaled : b.plus(scaled, bias)], { axis: int(-1) });
  const heads = b.transpose(b.matmul(scores, v), [0, 2, 1, 3]);
  return last(node, 'Reshape', [heads, b.ints([0, 0, -1])]);
}

const splitHeads = (b: GraphBuilder, value: string, heads: number) =>
  b.transpose(b.reshape(value, [0, 0, heads, -1]), [0, 2, 1, 3]);

/** Self-attention whose projections are one product; masks by index, caches and causality have no rewriting. */
const attention: Rewrite = (node, b, graph) => {
  const weights = graph.initializers.get(input(node, 1));
  const refused = [3, 4, 6].some((i) => input(node, i) !== '') || intAttribute(node, 'unidirectional', 0) === 1;
  if (weights === undefined || refused || (node.outputs[1] ?? '') !== '' || intAttribute(node, 'do_rotary', 0) === 1)
    return undefined;
  const width = weights.dims[1] ?? 0;
  const sizes = intsAttribute(node, 'qkv_hidden_sizes') ?? [width / 3, width / 3, width / 3];
  if (!sizes.every(Number.isInteger)) return undefined;
  const heads = intAttribute(node, 'num_heads', 1);
  const projected = b.matmul(input(node, 0), input(node, 1));
  const shifted = input(node, 2) === '' ? projected : b.plus(projected, input(node, 2));
  const parts = [b.fresh('q'), b.fresh('k'), b.fresh('v')] as const;
  b.add('Split', [shifted, b.ints(sizes)], { axis: int(-1) }, parts);
  const [q, k, v] = parts;
  const scale = floatAttribute(node, 'scale', 0) || 1 / Math.sqrt((sizes[0] ?? 1) / heads);
  const headed = [splitHeads(b, q, heads), splitHeads(b, k, heads), splitHeads(b, v, heads)] as const;
  return attend(node, b, headed, scale, input(node, 5));
};

/** Quantised operators of whole-integer models: read the levels, compute, take levels again. */
const quantized =
  (op: string, bias: boolean): Rewrite =>
  (node, b) => {
    const [x, xs, xz, w, ws, wz, ys, yz, shift] = node.inputs;
    const left = b.op('DequantizeLinear', [x ?? '', xs ?? '', xz ?? '']);
    // Scales by channel are those of a Conv's outputs, or of a product's columns.
    const right = b.op('DequantizeLinear', [w ?? '', ws ?? '', wz ?? ''], { axis: int(bias ? 0 : -1) });
    const operands = [left, right];
    if (bias && shift !== undefined && shift !== '') {
      const levels = b.op('Cast', [shift], { to: int(1) });
      operands.push(b.times(levels, b.times(xs ?? '', ws ?? '')));
    }
    const made = b.op(op, operands, node.attributes);
    return last(node, 'QuantizeLinear', [made, ys ?? '', yz ?? '']);
  };

const STANDARD: Readonly<Record<string, Rewrite>> = {
  QLinearConv: quantized('Conv', true),
  QLinearMatMul: quantized('MatMul', false),
  RMSNormalization: rmsNormalization,
  SimplifiedLayerNormalization: rmsNormalization,
};

const FUSED: Readonly<Record<string, Rewrite>> = {
  Attention: attention,
  BiasGelu: gelu('none'),
  FastGelu: gelu('tanh'),
  FusedConv: fusedConv,
  FusedGemm: fusedGemm,
  FusedMatMul: fusedMatMul,
  Gelu: gelu('none'),
  QuickGelu: quickGelu,
  SimplifiedLayerNormalization: rmsNormalization,
  SkipLayerNormalization: skipLayerNormalization,
  SkipSimplifiedLayerNormalization: skipRmsNormalization,
  TransposeMatMul: fusedMatMul,
};

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
