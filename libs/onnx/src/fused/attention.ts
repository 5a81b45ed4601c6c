import type { GraphBuilder } from '../builder.ts';
import { float, floatAttribute, type Graph, int, intAttribute, intsAttribute, type Node, tensor } from '../model.ts';
import { float32 } from '../tensor.ts';
import { declared, input, last, numberLike, type Rewrite, wants } from './rewrite.ts';

/** Added to the scores of what a mask hides, by the operators' documentation. */
const MASK_FILTER = -10000;

/** What a causal mask adds to scores of later places: far below any score, and no infinity. */
const LATER = -1e30;

interface Heads {
  /** [batch, heads, queries, size] */
  readonly q: string;
  /** [batch, heads, keys, size] */
  readonly k: string;
  /** [batch, heads, keys, values] */
  readonly v: string;
}

interface Scores {
  /** 0 stands for 1 / root of the heads' size. */
  readonly scale: number;
  /** Values added to the scores [batch, heads, queries, keys]. */
  readonly added: readonly string[];
  readonly causal: boolean;
}

/** 1 / root of the last axis' size, which need not be known yet. */
function inverseRootOfSize(b: GraphBuilder, q: string): string {
  const size = b.op('Shape', [q], { start: int(3), end: int(4) });
  return b.op('Reciprocal', [b.op('Sqrt', [b.op('CastLike', [size, q])])]);
}

/** Scores of keys that come after their query, hidden. */
function causal(b: GraphBuilder, scores: string): string {
  const ones = b.op('ConstantOfShape', [b.op('Shape', [scores])], { value: tensor(float32([1])) });
  const seen = b.op('Cast', [b.op('Trilu', [ones], { upper: int(0) })], { to: int(9) });
  return b.op('Where', [seen, scores, numberLike(b, LATER, scores)]);
}

/** Softmax(q k^T scale + ...) v, the heads still apart: [batch, heads, queries, values]. */
function attended(b: GraphBuilder, { q, k, v }: Heads, { scale, added, causal: hides }: Scores): string {
  const factor = scale === 0 ? inverseRootOfSize(b, q) : numberLike(b, scale, q);
  const raw = b.times(b.matmul(q, b.transpose(k, [0, 1, 3, 2])), factor);
  const summed = added.reduce((scores, more) => b.plus(scores, more), raw);
  return b.matmul(b.op('Softmax', [hides ? causal(b, summed) : summed], { axis: int(-1) }), v);
}

/** Heads side by side again: [batch, queries, heads x values]. */
const joined = (node: Node, b: GraphBuilder, heads: string): Node =>
  last(node, 'Reshape', [b.transpose(heads, [0, 2, 1, 3]), b.ints([0, 0, -1])]);

const splitHeads = (b: GraphBuilder, value: string, heads: number) =>
  b.transpose(b.reshape(value, [0, 0, heads, -1]), [0, 2, 1, 3]);

/**
 * What a mask of ones (seen) and zeros (hidden) adds to the scores; undefined where its form is not known. Masks of one axis
 * tell lengths, or starts and ends: they have no rewriting.
 */
function maskBias(b: GraphBuilder, graph: Graph, mask: string, like: string, filter: number): string | undefined {
  const { rank } = declared(graph, mask);
  const axes = rank === 2 ? [1, 2] : rank === 3 ? [1] : rank === 4 ? [] : undefined;
  if (axes === undefined) return undefined;
  const wide = axes.length === 0 ? mask : b.op('Unsqueeze', [mask, b.ints(axes)]);
  const hidden = b.minus(numberLike(b, 1, like), b.op('CastLike', [wide, like]));
  return b.times(hidden, numberLike(b, filter, like));
}

/** Everything that a fused node adds to its scores; undefined where a form has no rewriting. */
function addedOf(node: Node, b: GraphBuilder, graph: Graph, mask: string, bias: string): string[] | undefined {
  const added = bias === '' ? [] : [bias];
  if (mask === '') return added;
  const filter = floatAttribute(node, 'mask_filter_value', MASK_FILTER);
  const masked = maskBias(b, graph, mask, input(node, 0), filter);
  return masked === undefined ? undefined : [...added, masked];
}

/** Self-attention whose projections are one product; caches and rotations have no rewriting. */
export const attention: Rewrite = (node, b, graph) => {
  const weights = graph.initializers.get(input(node, 1));
  if (weights === undefined || input(node, 4) !== '' || input(node, 6) !== '') return undefined;
  return projectedAttention(node, b, graph, weights.dims[1] ?? 0, {
    x: input(node, 0),
    weights: input(node, 1),
    bias: input(node, 2),
    mask: input(node, 3),
    scoreBias: input(node, 5),
  });
};

/** Attention from values x [batch, places, features] and weights [features, width] of all three projections. */
export function projectedAttention(
  node: Node,
  b: GraphBuilder,
  graph: Graph,
  width: number,
  given: {
    readonly x: string;
    readonly weights: string;
    readonly bias: string;
    readonly mask: string;
    readonly scoreBias: string;
  },
): Node | undefined {
  if (wants(node, 1) || intAttribute(node, 'do_rotary', 0) === 1) return undefined;
  const sizes = intsAttribute(node, 'qkv_hidden_sizes') ?? [width / 3, width / 3, width / 3];
  if (!sizes.every(Number.isInteger)) return undefined;
  const added = addedOf(node, b, graph, given.mask, given.scoreBias);
  if (added === undefined) return undefined;
  const heads = intAttribute(node, 'num_heads', 1);
  const projected = b.matmul(given.x, given.weights);
  const shifted = given.bias === '' ? projected : b.plus(projected, given.bias);
  const [q, k, v] = [b.fresh('q'), b.fresh('k'), b.fresh('v')];
  b.add('Split', [shifted, b.ints(sizes)], { axis: int(-1) }, [q, k, v]);
  const made = attended(
    b,
    { q: splitHeads(b, q, heads), k: splitHeads(b, k, heads), v: splitHeads(b, v, heads) },
    { scale: floatAttribute(node, 'scale', 0), added, causal: intAttribute(node, 'unidirectional', 0) === 1 },
  );
  return joined(node, b, made);
}

/** Queries, keys and values of MultiHeadAttention, apart or packed: [batch, heads, places, size] each. */
function multiHeads(node: Node, b: GraphBuilder, graph: Graph, heads: number): Heads | undefined {
  const [query, key, value, bias] = [0, 1, 2, 3].map((i) => input(node, i));
  if (query === undefined || key === undefined || value === undefined || bias === undefined) return undefined;
  const pick = (packed: string, at: number) =>
    b.transpose(b.op('Squeeze', [b.slice(packed, [at], [at + 1], [3]), b.ints([3])]), [0, 2, 1, 3]);
  if (key === '') return bias === '' ? { q: pick(query, 0), k: pick(query, 1), v: pick(query, 2) } : undefined;
  if (value === '')
    return bias === '' ? { q: splitHeads(b, query, heads), k: pick(key, 0), v: pick(key, 1) } : undefined;
  // Keys and values of four axes come from a cache or another layer, their heads already apart.
  const apart = declared(graph, key).rank === 4;
  if (bias === '') {
    return {
      q: splitHeads(b, query, heads),
      k: apart ? key : splitHeads(b, key, heads),
      v: apart ? value : splitHeads(b, value, heads),
    };
  }
  const [width] = graph.initializers.get(bias)?.dims ?? [];
  if (width === undefined || width % 3 !== 0 || apart) return undefined;
  const parts = [b.fresh('qb'), b.fresh('kb'), b.fresh('vb')];
  b.add('Split', [bias, b.ints([width / 3, width / 3, width / 3])], { axis: int(0) }, parts);
  const [q, k, v] = [query, key, value].map((one, i) => splitHeads(b, b.plus(one, parts[i] ?? ''), heads));
  return q === undefined || k === undefined || v === undefined ? undefined : { q, k, v };
}

/** Attention between projections made before; caches have no rewriting. */
export const multiHeadAttention: Rewrite = (node, b, graph) => {
  if ([6, 7, 8, 9].some((i) => input(node, i) !== '') || wants(node, 1, 2, 3)) return undefined;
  const added = addedOf(node, b, graph, input(node, 4), input(node, 5));
  const heads = multiHeads(node, b, graph, intAttribute(node, 'num_heads', 1));
  if (added === undefined || heads === undefined) return undefined;
  const hides = intAttribute(node, 'unidirectional', 0) === 1;
  return joined(node, b, attended(b, heads, { scale: floatAttribute(node, 'scale', 0), added, causal: hides }));
};

/** Keys or values repeated for every group of query heads. */
function repeatedHeads(b: GraphBuilder, value: string, q: string): string {
  const shape = (of: string, start: number, end: number) => b.op('Shape', [of], { start: int(start), end: int(end) });
  const times = b.op('Div', [shape(q, 1, 2), shape(value, 1, 2)]);
  const one = b.ints([1]);
  const repeated = b.op('Expand', [b.op('Unsqueeze', [value, b.ints([2])]), b.concat([one, one, times, one, one], 0)]);
  return b.op('Reshape', [repeated, b.concat([shape(value, 0, 1), shape(q, 1, 2), shape(value, 2, 4)], 0)]);
}

/** The standard operator of opset 23; caches, other outputs and soft caps have no rewriting. */
export const standardAttention: Rewrite = (node, b, graph) => {
  const refused = [4, 5, 6].some((i) => input(node, i) !== '') || wants(node, 1, 2, 3);
  if (refused || floatAttribute(node, 'softcap', 0) !== 0) return undefined;
  const [queryHeads, keyHeads] = [intAttribute(node, 'q_num_heads', 0), intAttribute(node, 'kv_num_heads', 0)];
  const flat = queryHeads > 0;
  const [q, k, v] = [input(node, 0), input(node, 1), input(node, 2)].map((value, i) =>
    flat ? splitHeads(b, value, i === 0 ? queryHeads : keyHeads) : value,
  );
  if (q === undefined || k === undefined || v === undefined) return undefined;
  const mask = input(node, 3);
  const added: string[] = [];
  if (mask !== '') {
    const { dataType } = declared(graph, mask);
    if (dataType === undefined) return undefined;
    const hidden = () => b.op('Where', [mask, numberLike(b, 0, q), numberLike(b, LATER, q)]);
    added.push(dataType === 'bool' ? hidden() : mask);
  }
  const grouped = flat ? queryHeads !== keyHeads : true;
  const heads = grouped ? { q, k: repeatedHeads(b, k, q), v: repeatedHeads(b, v, q) } : { q, k, v };
  const hides = intAttribute(node, 'is_causal', 0) === 1;
  const made = attended(b, heads, { scale: floatAttribute(node, 'scale', 0), added, causal: hides });
  return flat ? joined(node, b, made) : last(node, 'Identity', [made]);
};

/** x sigmoid(alpha x) (opset 24) */
export const swish: Rewrite = (node, b) => {
  const x = input(node, 0);
  const gate = b.op('Sigmoid', [b.times(x, numberLike(b, floatAttribute(node, 'alpha', 1), x))]);
  return last(node, 'Mul', [x, gate]);
};

/** Default epsilon of the fused normalisations. */
const EPSILON = 1e-12;

/** Sum of word, place and segment embeddings, normalised; the lengths that its mask tells are the second output. */
export const embedLayerNormalization: Rewrite = (node, b) => {
  const [ids, segments, words, places, segmentTable, scale, shift, mask, positions] = Array.from(
    { length: 9 },
    (_, i) => input(node, i),
  );
  if (ids === undefined || words === undefined || places === undefined || scale === undefined) return undefined;
  const length = b.op('Shape', [ids], { start: int(1), end: int(2) });
  const place =
    positions === undefined || positions === ''
      ? b.op('Slice', [places, b.ints([0]), length, b.ints([0])])
      : b.op('Gather', [places, positions]);
  let sum = b.plus(b.op('Gather', [words, ids]), place);
  if (segmentTable !== undefined && segmentTable !== '' && segments !== undefined && segments !== '')
    sum = b.plus(sum, b.op('Gather', [segmentTable, segments]));
  const [, lengths = '', whole = ''] = node.outputs;
  if (lengths !== '') {
    const ones = mask === undefined || mask === '' ? b.minus(ids, ids) : mask;
    b.add('ReduceSum', [ones, b.ints([1])], { keepdims: int(0) }, [lengths]);
  }
  if (whole !== '') b.add('Identity', [sum], {}, [whole]);
  const inputs = [sum, scale, ...(shift === undefined || shift === '' ? [] : [shift])];
  return last(node, 'LayerNormalization', inputs, {
    axis: int(-1),
    epsilon: float(floatAttribute(node, 'epsilon', EPSILON)),
  });
};
