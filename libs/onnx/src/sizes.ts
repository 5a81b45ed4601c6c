import { constantOfNode, knownValues } from './evaluate.ts';
import {
  describeNode,
  type Graph,
  intAttribute,
  intsAttribute,
  type Node,
  OnnxError,
  stringAttribute,
} from './model.ts';
import { floats, integers, type Tensor } from './tensor.ts';
import type { ValueType } from './value-type.ts';

/** More elements than a value of a classifier has: 1 GiB of float32. */
export const MOST_ELEMENTS = 2 ** 28;

/** What a symbolic axis is taken for. */
const SYMBOLIC_SIZE = 3;

/** Axis sizes, where they are known. */
type Sizes = readonly (number | undefined)[];

/** What is known of a node's inputs. */
interface Situation {
  readonly node: Node;
  readonly sizes: (i: number) => Sizes | undefined;
  readonly numbers: (i: number) => number[] | undefined;
}

type SizeRule = (situation: Situation) => Sizes | undefined;

const normal = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

const broadcast = (...all: readonly (Sizes | undefined)[]): Sizes | undefined => {
  const known = all.filter((sizes) => sizes !== undefined);
  if (known.length < all.length) return undefined;
  const rank = Math.max(0, ...known.map(({ length }) => length));
  return Array.from({ length: rank }, (_, axis) => {
    const here = known.map((sizes) => (axis < rank - sizes.length ? 1 : sizes[axis - rank + sizes.length]));
    return here.some((size) => size === undefined) ? undefined : Math.max(...here.map((size) => size ?? 1));
  });
};

const same: SizeRule = ({ sizes }) => sizes(0);
const elementwise: SizeRule = ({ node, sizes }) => broadcast(...node.inputs.map((_, i) => sizes(i)));

/** Conv and pooling; what auto_pad leaves is no larger than the input. */
const window =
  (channels: (s: Situation) => number | undefined, kernelOf: (s: Situation) => Sizes | undefined): SizeRule =>
  (s) => {
    const x = s.sizes(0);
    const kernel = kernelOf(s);
    if (x === undefined || kernel === undefined) return undefined;
    const rank = kernel.length;
    const { node } = s;
    const pads = intsAttribute(node, 'pads') ?? [];
    const spatial = kernel.map((size, i) => {
      const input = x[i + 2];
      if (input === undefined || size === undefined) return undefined;
      if (stringAttribute(node, 'auto_pad', 'NOTSET') !== 'NOTSET') return input;
      const stride = Math.max(1, intsAttribute(node, 'strides')?.[i] ?? 1);
      const reach = (size - 1) * (intsAttribute(node, 'dilations')?.[i] ?? 1) + 1;
      return Math.floor((input + (pads[i] ?? 0) + (pads[i + rank] ?? 0) - reach) / stride) + 2;
    });
    return [x[0], channels(s), ...spatial];
  };

const transposedConvolution: SizeRule = ({ node, sizes }) => {
  const [x, w] = [sizes(0), sizes(1)];
  if (x === undefined || w === undefined) return undefined;
  const group = intAttribute(node, 'group', 1);
  const spatial = w.slice(2).map((size, i) => {
    const input = x[i + 2];
    if (input === undefined || size === undefined) return undefined;
    const stride = intsAttribute(node, 'strides')?.[i] ?? 1;
    const reach = (size - 1) * (intsAttribute(node, 'dilations')?.[i] ?? 1) + 1;
    return (
      intsAttribute(node, 'output_shape')?.[i] ??
      stride * (input - 1) + reach + (intsAttribute(node, 'output_padding')?.[i] ?? 0)
    );
  });
  return [x[0], w[1] === undefined ? undefined : w[1] * group, ...spatial];
};

const matmul: SizeRule = ({ sizes }) => {
  const [a, b] = [sizes(0), sizes(1)];
  if (a === undefined || b === undefined || a.length < 2 || b.length < 2) return undefined;
  const batch = broadcast(a.slice(0, -2), b.slice(0, -2));
  return batch && [...batch, a.at(-2), b.at(-1)];
};

const unaryOps =
  `Abs Acos Asin Atan BatchNormalization Cast Ceil Clip Cos CumSum Dropout Elu Erf Exp Floor Gelu HardSigmoid HardSwish
  Identity InstanceNormalization LRN LayerNormalization LeakyRelu Log LogSoftmax Mish Neg Not Reciprocal Relu Round Selu Sigmoid Sign
  Sin Softmax Softplus Softsign Sqrt Tanh`.split(/\s+/);
const broadcastOps = `Add And Div Equal Greater Less Max Mean Min Mod Mul Or PRelu Pow Sub Sum Where Xor`.split(' ');

const RULES: Readonly<Record<string, SizeRule>> = {
  ...Object.fromEntries(unaryOps.map((op) => [op, same])),
  ...Object.fromEntries(broadcastOps.map((op) => [op, elementwise])),
  MatMul: matmul,
  Gemm: ({ node, sizes }) => {
    const [a, b] = [sizes(0), sizes(1)];
    return a && b && [a[intAttribute(node, 'transA', 0)], b[1 - intAttribute(node, 'transB', 0)]];
  },
  Conv: window(
    ({ sizes }) => sizes(1)?.[0],
    ({ sizes }) => sizes(1)?.slice(2),
  ),
  ConvTranspose: transposedConvolution,
  ...Object.fromEntries(
    ['MaxPool', 'AveragePool', 'LpPool'].map((op) => [
      op,
      window(
        ({ sizes }) => sizes(0)?.[1],
        ({ node }) => intsAttribute(node, 'kernel_shape'),
      ),
    ]),
  ),
  Concat: ({ node, sizes }) => {
    const all = node.inputs.map((_, i) => sizes(i));
    const [first] = all;
    if (first === undefined) return undefined;
    const axis = normal(intAttribute(node, 'axis', 0), first.length);
    const along = all.map((one) => one?.[axis]);
    const total = along.some((size) => size === undefined)
      ? undefined
      : along.reduce<number>((sum, size) => sum + (size ?? 0), 0);
    return first.map((size, i) => (i === axis ? total : size));
  },
  ConstantOfShape: ({ numbers }) => numbers(0),
  RandomNormal: ({ node }) => intsAttribute(node, 'shape'),
  RandomUniform: ({ node }) => intsAttribute(node, 'shape'),
  Expand: ({ sizes, numbers }) => broadcast(sizes(0), numbers(1)),
  Tile: ({ sizes, numbers }) => {
    const repeats = numbers(1);
    return repeats && sizes(0)?.map((size, axis) => size && size * (repeats[axis] ?? 1));
  },
  Range: ({ numbers }) => {
    const [from, to, by] = [numbers(0)?.[0], numbers(1)?.[0], numbers(2)?.[0]];
    if (from === undefined || to === undefined || by === undefined || by === 0) return undefined;
    return [Math.max(0, Math.ceil((to - from) / by))];
  },
  OneHot: ({ node, sizes, numbers }) => {
    const axis = intAttribute(node, 'axis', -1);
    const x = sizes(0);
    return x?.toSpliced(axis < 0 ? x.length + 1 + axis : axis, 0, numbers(1)?.[0]);
  },
  Pad: ({ node, sizes, numbers }) => {
    const pads = intsAttribute(node, 'pads') ?? numbers(1);
    const x = sizes(0);
    if (x === undefined || pads === undefined) return undefined;
    const axes = numbers(3) ?? x.map((_, axis) => axis);
    return axes.reduce<Sizes>((all, given, i) => {
      const axis = normal(given, x.length);
      const size = all[axis];
      return all.map((one, at) => (at === axis ? size && size + (pads[i] ?? 0) + (pads[i + axes.length] ?? 0) : one));
    }, x);
  },
  Resize: ({ node, sizes, numbers }) => {
    const x = sizes(0);
    const axes = intsAttribute(node, 'axes') ?? x?.map((_, axis) => axis);
    const given = numbers(3);
    const scales = numbers(2) ?? (node.inputs.length === 2 ? numbers(1) : undefined);
    return x?.map((size, axis) => {
      const i = axes?.findIndex((one) => normal(one, x.length) === axis) ?? -1;
      if (i < 0) return size;
      if (given !== undefined && given.length > 0) return given[i];
      return scales === undefined ? undefined : size && Math.floor(size * (scales[i] ?? 1));
    });
  },
  Upsample: ({ node, sizes, numbers }) => {
    const scales = node.attributes.scales?.type === 'floats' ? node.attributes.scales.value : numbers(1);
    return scales && sizes(0)?.map((size, axis) => size && Math.floor(size * (scales[axis] ?? 1)));
  },
  Transpose: ({ node, sizes }) => {
    const x = sizes(0);
    const perm = intsAttribute(node, 'perm');
    return x && (perm === undefined ? x.toReversed() : perm.map((axis) => x[axis]));
  },
  Unsqueeze: ({ node, sizes, numbers }) => {
    const axes = intsAttribute(node, 'axes') ?? numbers(1);
    const x = sizes(0);
    if (x === undefined || axes === undefined) return undefined;
    const rank = x.length + axes.length;
    return axes
      .map((axis) => normal(axis, rank))
      .sort((a, b) => a - b)
      .reduce<Sizes>((all, axis) => all.toSpliced(axis, 0, 1), x);
  },
  Reshape: ({ sizes, numbers }) => {
    const x = sizes(0);
    const shape = numbers(1);
    const filled = shape?.map((size, axis) => (size === 0 ? x?.[axis] : size));
    const total =
      x === undefined || x.includes(undefined)
        ? undefined
        : x.reduce<number>((product, size) => product * (size ?? 1), 1);
    const rest = filled
      ?.filter((size) => size !== -1)
      .reduce<number>((product, size) => product * (size ?? Number.NaN), 1);
    return filled?.map((size) => {
      if (size !== -1) return size;
      const missing = total === undefined || rest === undefined ? Number.NaN : total / rest;
      return Number.isInteger(missing) ? missing : undefined;
    });
  },
  Gather: ({ node, sizes }) => {
    const [x, indices] = [sizes(0), sizes(1)];
    return x && indices && x.toSpliced(normal(intAttribute(node, 'axis', 0), x.length), 1, ...indices);
  },
};

/** Sums of the amounts before and after each axis. */
const padded = (pads: readonly number[] | undefined): Sizes | undefined =>
  pads?.slice(0, pads.length / 2).map((before, i) => Math.max(1, before + (pads[i + pads.length / 2] ?? 0)));

const atLeastPads: SizeRule = ({ node }) => padded(intsAttribute(node, 'pads'));

/** What constants alone tell: sizes that an output has at the least, whatever its input is. */
const LEAST: Readonly<Record<string, SizeRule>> = {
  AveragePool: atLeastPads,
  Conv: atLeastPads,
  ConvTranspose: ({ node }) =>
    intsAttribute(node, 'output_shape') ?? intsAttribute(node, 'strides')?.map((stride) => stride / 2 ** 12),
  Expand: ({ numbers }) => numbers(1),
  LpPool: atLeastPads,
  MaxPool: atLeastPads,
  Pad: ({ node, numbers }) => padded(intsAttribute(node, 'pads') ?? numbers(1)),
  Resize: ({ numbers }) => numbers(3) ?? numbers(2),
  Tile: ({ numbers }) => numbers(1),
  Upsample: ({ numbers }) => numbers(1),
};

/** Inputs of Resize that the runtime reads without looking at their number. */
function checkResize({ node, sizes }: Situation): void {
  const rank = intsAttribute(node, 'axes')?.length ?? sizes(0)?.length;
  for (const i of [2, 3]) {
    const given = sizes(i);
    const [count] = given ?? [];
    const wrong =
      given && (given.length !== 1 || (rank !== undefined && count !== undefined && count !== 0 && count !== rank));
    if (wrong) throw new OnnxError(`${describeNode(node)}: input ${i} must be a vector with one element for each axis`);
  }
}

/** More rounds than a loop of a classifier has. */
export const MOST_ROUNDS_OF_LOOP = 2 ** 16;

/** A loop without an end would hold its thread for good. */
function checkLoop({ node, numbers }: Situation): void {
  if ((node.inputs[0] ?? '') === '')
    throw new OnnxError(`${describeNode(node)} has no largest number of rounds (input 0): it may never end`);
  const [rounds = 0] = numbers(0) ?? [];
  if (rounds > MOST_ROUNDS_OF_LOOP)
    throw new OnnxError(`${describeNode(node)} runs ${rounds} rounds; at most ${MOST_ROUNDS_OF_LOOP} are run`);
}

function checkCount(what: string, sizes: Sizes): void {
  const known = sizes.filter((size) => size !== undefined);
  const negative = known.find((size) => size < 0);
  if (negative !== undefined) throw new OnnxError(`${what} has an axis of size ${negative}`);
  const count =
    known.length < sizes.length && known.includes(0) ? 0 : known.reduce((product, size) => product * size, 1);
  if (count > MOST_ELEMENTS)
    throw new OnnxError(`${what} has ${count} elements or more; at most ${MOST_ELEMENTS} fit into memory's bounds`);
}

function numbersOf(tensor: Tensor | undefined): number[] | undefined {
  if (tensor === undefined || tensor.data.length > 64) return undefined;
  if (tensor.dataType === 'float32' || tensor.dataType === 'float64') return [...floats(tensor)];
  return tensor.dataType === 'string' || tensor.dataType === 'float16' ? undefined : integers(tensor);
}

/** Rounds of following: sizes make shapes known, which make further sizes known. */
const MOST_ROUNDS = 8;

/** Types of the values whose sizes are all known, for what follows from shapes. */
function typesOf(found: ReadonlyMap<string, Sizes>): Map<string, ValueType> {
  const types = new Map<string, ValueType>();
  for (const [name, sizes] of found) {
    const dims = sizes.filter((size) => size !== undefined);
    if (dims.length === sizes.length) types.set(name, { dataType: 'float32', dims });
  }
  return types;
}

/**
 * Follows sizes through the operators that can make values larger, as far as constants and the inputs' shapes tell them.
 * A bound on what a careless or hostile file makes the runtime allocate; sizes that are computed from elements are left
 * over, and named by `unboundedNodes`.
 * @throws OnnxError that names the node whose output would be too large.
 */
export function checkSizes(graph: Graph): void {
  settled(graph);
}

/** Sizes and small values, followed until nothing new comes of it; symbolic axes are taken for 3. */
function settled(graph: Graph): ReadonlyMap<string, Tensor> {
  let known = knownValues(graph);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const more = knownValues(graph, typesOf(follow(graph, new Map(), known)));
    if (more.size === known.size) break;
    known = more;
  }
  return known;
}

/** By operator, the inputs whose elements decide the size of its output, or how often its body runs. */
const DECISIVE: Readonly<Record<string, readonly number[]>> = {
  AffineGrid: [1],
  BlackmanWindow: [0],
  CenterCropPad: [1],
  Col2Im: [1],
  ConstantOfShape: [0],
  DFT: [1],
  Expand: [1],
  HammingWindow: [0],
  HannWindow: [0],
  Loop: [0],
  MaxUnpool: [2],
  MelWeightMatrix: [0, 1],
  OneHot: [1],
  Pad: [1],
  Range: [0, 1, 2],
  Resize: [2, 3],
  Tile: [1],
  Upsample: [1],
};

/** A node whose size hangs on elements that are not known before the graph runs, and those inputs. */
export interface UnboundedNode {
  readonly node: Node;
  readonly decisive: readonly string[];
}

/** The nodes whose sizes `checkSizes` could not bound, in the graph's order; those of inner graphs are not among them. */
export function unboundedNodes(graph: Graph): UnboundedNode[] {
  if (!graph.nodes.some(({ op, domain }) => domain === '' && DECISIVE[op] !== undefined)) return [];
  const known = settled(graph);
  const fed = new Set(graph.inputs.map(({ name }) => name));
  const isKnown = (name: string) => known.has(name) || (graph.initializers.has(name) && !fed.has(name));
  return graph.nodes.flatMap((node) => {
    const places = node.domain === '' ? (DECISIVE[node.op] ?? []) : [];
    const decisive = places.map((i) => node.inputs[i] ?? '').filter((name) => name !== '');
    return decisive.every(isKnown) ? [] : [{ node, decisive }];
  });
}

/** Sizes of an If's outputs, where both branches make the same. */
function chosen(node: Node, branches: ReadonlyMap<string, ReadonlyMap<string, Sizes>>): (Sizes | undefined)[] {
  const made = ['then_branch', 'else_branch'].map((name) => {
    const branch = node.attributes[name];
    return branch?.type === 'graph' ? branch.value.outputs.map((output) => branches.get(name)?.get(output.name)) : [];
  });
  return node.outputs.map((_, i) => {
    const [first, second] = [made[0]?.[i], made[1]?.[i]];
    return first && second && first.length === second.length
      ? first.map((size, axis) => (size === second[axis] ? size : undefined))
      : undefined;
  });
}

function follow(
  graph: Graph,
  outer: ReadonlyMap<string, Sizes>,
  known: ReadonlyMap<string, Tensor> = knownValues(graph),
): ReadonlyMap<string, Sizes> {
  const found = new Map<string, Sizes>(outer);
  for (const { name, dims } of graph.inputs) {
    if (dims === undefined) continue;
    const sizes = dims.map((size) => (typeof size === 'number' ? size : SYMBOLIC_SIZE));
    checkCount(`input '${name}'`, sizes);
    found.set(name, sizes);
  }
  for (const [name, tensor] of graph.initializers) found.set(name, tensor.dims);
  const fed = new Set(graph.inputs.map(({ name }) => name));
  for (const node of graph.nodes) {
    const [made = ''] = node.outputs;
    const held = node.op === 'Constant' ? constantOfNode(node) : undefined;
    if (held !== undefined) found.set(made, held.dims);
    const inner = new Map<string, ReadonlyMap<string, Sizes>>();
    for (const [name, attribute] of Object.entries(node.attributes)) {
      if (attribute.type === 'graph') inner.set(name, follow(attribute.value, found));
    }
    if (node.op === 'If') {
      for (const [i, sizes] of chosen(node, inner).entries()) {
        const name = node.outputs[i] ?? '';
        if (sizes !== undefined && name !== '') found.set(name, sizes);
      }
    }
    if (node.domain !== '') continue;
    const situation: Situation = {
      node,
      sizes: (i) => found.get(node.inputs[i] ?? '') ?? known.get(node.inputs[i] ?? '')?.dims,
      numbers: (i) => {
        const name = node.inputs[i] ?? '';
        return numbersOf(known.get(name) ?? (fed.has(name) ? undefined : graph.initializers.get(name)));
      },
    };
    if (node.op === 'Resize') checkResize(situation);
    if (node.op === 'Loop') checkLoop(situation);
    const least = LEAST[node.op]?.(situation)?.map((size) => Math.max(1, size ?? 1));
    if (least !== undefined) checkCount(describeNode(node), least);
    // A negative size says that what a symbolic axis was taken for is too small: nothing is known then.
    const sizes = RULES[node.op]?.(situation)?.map((size) => (size !== undefined && size < 0 ? undefined : size));
    if (sizes === undefined || made === '') continue;
    checkCount(describeNode(node), sizes);
    found.set(made, sizes);
  }
  return found;
}
