import { type Graph, intAttribute, intsAttribute, type Node } from './model.ts';
import { type DataType, elementCount, type Tensor, type TensorData } from './tensor.ts';
import { isBatchAxis, type ValueType } from './value-type.ts';

/** Larger values are no shapes, axes or conditions; they are left to the runtime. */
const LARGEST = 4096;

/** A small value whose elements are known where they do not depend on the batch; booleans are 0 and 1. */
interface Known {
  readonly dataType: DataType;
  readonly dims: readonly number[];
  readonly data: readonly (number | undefined)[];
}

/** Axes count too: of an empty value they may be of any size. */
const isSmall = (dims: readonly number[]) => elementCount(dims) <= LARGEST && dims.every((size) => size <= LARGEST);

type Evaluation = (node: Node, inputs: readonly (Known | undefined)[]) => Known | undefined;

const isInteger = (dataType: DataType) => !dataType.startsWith('float');

const normal = (axis: number, rank: number) => (axis < 0 ? axis + rank : axis);

function stridesOf(dims: readonly number[]): number[] {
  return dims.map((_, axis) => elementCount(dims.slice(axis + 1)));
}

/** A value of the given shape whose element at `index` is the source's element at `source(index)`. */
function arranged(
  value: Known,
  dims: readonly number[],
  source: (index: readonly number[]) => number,
): Known | undefined {
  const count = elementCount(dims);
  if (count > LARGEST) return undefined;
  const strides = stridesOf(dims);
  const data = Array.from(
    { length: count },
    (_, flat) =>
      value.data[source(dims.map((size, axis) => Math.floor(flat / (strides[axis] ?? 1)) % Math.max(1, size)))],
  );
  return { ...value, dims, data };
}

const at = (index: readonly number[], strides: readonly number[]) =>
  index.reduce((sum, place, axis) => sum + place * (strides[axis] ?? 0), 0);

/** All elements, if every one is known. */
function numbersOf(value: Known | undefined): number[] | undefined {
  if (value === undefined) return undefined;
  const known = value.data.filter((element) => element !== undefined);
  return known.length === value.data.length ? known : undefined;
}

function broadcastDims(all: readonly Known[]): number[] {
  const rank = Math.max(...all.map(({ dims }) => dims.length));
  return Array.from({ length: rank }, (_, axis) => {
    const sizes = all.map(({ dims }) => dims[axis - rank + dims.length] ?? 1);
    return sizes.find((size) => size !== 1) ?? 1;
  });
}

const expanded = (value: Known, dims: readonly number[]): Known | undefined => {
  const strides = stridesOf(value.dims);
  const lead = dims.length - value.dims.length;
  return arranged(value, dims, (index) =>
    at(
      value.dims.map((size, axis) => (size === 1 ? 0 : (index[axis + lead] ?? 0))),
      strides,
    ),
  );
};

/** An elementwise operation; `unknown` in, unknown out. */
const elementwise =
  (apply: (numbers: readonly number[], integer: boolean) => number, result?: DataType): Evaluation =>
  (_, inputs) => {
    const given = inputs.filter((value) => value !== undefined);
    const [first] = given;
    if (first === undefined || given.length < inputs.length) return undefined;
    const dims = broadcastDims(given);
    const wide = given.map((value) => expanded(value, dims));
    if (wide.some((value) => value === undefined)) return undefined;
    const integer = isInteger(first.dataType);
    const data = Array.from({ length: elementCount(dims) }, (_, i) => {
      const elements = wide.map((value) => value?.data[i]).filter((element) => element !== undefined);
      return elements.length === wide.length ? apply(elements, integer) : undefined;
    });
    return { dataType: result ?? first.dataType, dims, data };
  };

const binary = (apply: (a: number, b: number, integer: boolean) => number, result?: DataType) =>
  elementwise(([a = 0, b = 0], integer) => apply(a, b, integer), result);
const unary = (apply: (a: number) => number, result?: DataType) => elementwise(([a = 0]) => apply(a), result);
const truth = (holds: boolean) => Number(holds);

const reshaped = (value: Known | undefined, dims: readonly number[] | undefined): Known | undefined =>
  value && dims && elementCount(dims) === value.data.length ? { ...value, dims } : undefined;

const axesOf = (node: Node, given: Known | undefined): readonly number[] | undefined =>
  intsAttribute(node, 'axes') ?? numbersOf(given);

/** A reduction over all axes. */
const total =
  (reduce: (a: number, b: number) => number): Evaluation =>
  (node, [value, axes]) => {
    const numbers = numbersOf(value);
    const over = axesOf(node, axes);
    if (value === undefined || numbers === undefined || numbers.length === 0) return undefined;
    if (over !== undefined && over.length !== value.dims.length) return undefined;
    const dims = intAttribute(node, 'keepdims', 1) === 1 ? value.dims.map(() => 1) : [];
    return { dataType: value.dataType, dims, data: [numbers.reduce(reduce)] };
  };

/** Element types by their number in the ONNX schema, as Cast names them. */
const CAST: Readonly<Record<number, DataType>> = { 1: 'float32', 6: 'int32', 7: 'int64', 9: 'bool', 11: 'float64' };

const EVALUATIONS: Readonly<Record<string, Evaluation>> = {
  Identity: (_, [value]) => value,
  Add: binary((a, b) => a + b),
  Sub: binary((a, b) => a - b),
  Mul: binary((a, b) => a * b),
  Div: binary((a, b, integer) => (integer ? Math.trunc(a / b) : a / b)),
  Mod: binary((a, b) => a - Math.floor(a / b) * b),
  Pow: binary((a, b) => a ** b),
  Min: elementwise((numbers) => Math.min(...numbers)),
  Max: elementwise((numbers) => Math.max(...numbers)),
  Neg: unary((a) => -a),
  Abs: unary(Math.abs),
  Floor: unary(Math.floor),
  Ceil: unary(Math.ceil),
  Sqrt: unary(Math.sqrt),
  Reciprocal: unary((a) => 1 / a),
  Equal: binary((a, b) => truth(a === b), 'bool'),
  Greater: binary((a, b) => truth(a > b), 'bool'),
  GreaterOrEqual: binary((a, b) => truth(a >= b), 'bool'),
  Less: binary((a, b) => truth(a < b), 'bool'),
  LessOrEqual: binary((a, b) => truth(a <= b), 'bool'),
  And: binary((a, b) => truth(a !== 0 && b !== 0), 'bool'),
  Or: binary((a, b) => truth(a !== 0 || b !== 0), 'bool'),
  Xor: binary((a, b) => truth(a !== b), 'bool'),
  Not: unary((a) => truth(a === 0), 'bool'),
  Where: (node, [condition, a, b]) => {
    const made = elementwise(([holds = 0, left = 0, right = 0]) => (holds === 0 ? right : left))(node, [
      condition,
      a,
      b,
    ]);
    return made && a && { ...made, dataType: a.dataType };
  },
  Cast: (node, [value]) => {
    const dataType = CAST[intAttribute(node, 'to', 0)];
    if (value === undefined || dataType === undefined) return undefined;
    const convert = (element: number) =>
      dataType === 'bool' ? truth(element !== 0) : isInteger(dataType) ? Math.trunc(element) : element;
    return { ...value, dataType, data: value.data.map((element) => element && convert(element)) };
  },
  Reshape: (node, [value, shape]) => {
    const given = numbersOf(shape);
    if (value === undefined || given === undefined || intAttribute(node, 'allowzero', 0) === 1) return undefined;
    const filled = given.map((size, axis) => (size === 0 ? (value.dims[axis] ?? 0) : size));
    const known = filled.filter((size) => size !== -1).reduce((product, size) => product * size, 1);
    return reshaped(
      value,
      filled.map((size) => (size === -1 ? value.data.length / known : size)),
    );
  },
  Flatten: (node, [value]) => {
    if (value === undefined) return undefined;
    const axis = normal(intAttribute(node, 'axis', 1), value.dims.length);
    return reshaped(value, [elementCount(value.dims.slice(0, axis)), elementCount(value.dims.slice(axis))]);
  },
  Unsqueeze: (node, [value, given]) => {
    const axes = axesOf(node, given);
    if (value === undefined || axes === undefined) return undefined;
    const rank = value.dims.length + axes.length;
    const put = axes.map((axis) => normal(axis, rank)).sort((a, b) => a - b);
    return reshaped(
      value,
      put.reduce<readonly number[]>((dims, axis) => dims.toSpliced(axis, 0, 1), value.dims),
    );
  },
  Squeeze: (node, [value, given]) => {
    if (value === undefined) return undefined;
    const axes = axesOf(node, given)?.map((axis) => normal(axis, value.dims.length));
    return reshaped(
      value,
      value.dims.filter((size, axis) => (axes === undefined ? size !== 1 : !axes.includes(axis))),
    );
  },
  Transpose: (node, [value]) => {
    if (value === undefined) return undefined;
    const perm = intsAttribute(node, 'perm') ?? value.dims.map((_, axis) => value.dims.length - 1 - axis);
    const strides = stridesOf(value.dims);
    return arranged(
      value,
      perm.map((axis) => value.dims[axis] ?? 1),
      (index) => index.reduce((sum, place, i) => sum + place * (strides[perm[i] ?? 0] ?? 0), 0),
    );
  },
  Concat: (node, inputs) => {
    const values = inputs.filter((value) => value !== undefined);
    const [first] = values;
    if (first === undefined || values.length < inputs.length) return undefined;
    const axis = normal(intAttribute(node, 'axis', 0), first.dims.length);
    const owners = values.flatMap((value, i) =>
      Array.from({ length: value.dims[axis] ?? 0 }, (_, place) => ({ value: i, place })),
    );
    const dims = first.dims.with(axis, owners.length);
    if (elementCount(dims) > LARGEST) return undefined;
    const strides = stridesOf(dims);
    const data = Array.from({ length: elementCount(dims) }, (_, flat) => {
      const index = dims.map((size, i) => Math.floor(flat / (strides[i] ?? 1)) % Math.max(1, size));
      const owner = owners[index[axis] ?? 0];
      const value = values[owner?.value ?? 0];
      return value?.data[at(index.with(axis, owner?.place ?? 0), stridesOf(value.dims))];
    });
    return { ...first, dims, data };
  },
  Gather: (node, [value, indices]) => {
    const places = numbersOf(indices);
    if (value === undefined || indices === undefined || places === undefined) return undefined;
    const axis = normal(intAttribute(node, 'axis', 0), value.dims.length);
    const dims = [...value.dims.slice(0, axis), ...indices.dims, ...value.dims.slice(axis + 1)];
    const picks = stridesOf(indices.dims);
    const strides = stridesOf(value.dims);
    return arranged(value, dims, (index) => {
      const picked = places[at(index.slice(axis, axis + indices.dims.length), picks)] ?? 0;
      const place = normal(picked, value.dims[axis] ?? 0);
      return at([...index.slice(0, axis), place, ...index.slice(axis + indices.dims.length)], strides);
    });
  },
  Slice: (_, [value, starts, ends, axes, steps]) => {
    const [from, to] = [numbersOf(starts), numbersOf(ends)];
    if (value === undefined || from === undefined || to === undefined) return undefined;
    const along = axes === undefined ? from.map((__, axis) => axis) : numbersOf(axes);
    const by = steps === undefined ? from.map(() => 1) : numbersOf(steps);
    if (along === undefined || by === undefined) return undefined;
    const cuts = value.dims.map((size) => ({ start: 0, step: 1, count: size }));
    for (const [i, given] of along.entries()) {
      const axis = normal(given, value.dims.length);
      const size = value.dims[axis] ?? 0;
      const step = by[i] ?? 1;
      const bound = (place: number, low: number, high: number) =>
        Math.min(Math.max(place < 0 ? place + size : place, low), high);
      const start = step > 0 ? bound(from[i] ?? 0, 0, size) : bound(from[i] ?? 0, 0, size - 1);
      const end = step > 0 ? bound(to[i] ?? 0, 0, size) : bound(to[i] ?? 0, -1, size - 1);
      cuts[axis] = { start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
    }
    const strides = stridesOf(value.dims);
    return arranged(
      value,
      cuts.map(({ count }) => count),
      (index) =>
        at(
          index.map((place, axis) => (cuts[axis]?.start ?? 0) + place * (cuts[axis]?.step ?? 1)),
          strides,
        ),
    );
  },
  Expand: (_, [value, shape]) => {
    const dims = numbersOf(shape);
    if (value === undefined || dims === undefined) return undefined;
    return expanded(value, broadcastDims([value, { ...value, dims, data: [] }]));
  },
  ConstantOfShape: (node, [shape]) => {
    const dims = numbersOf(shape);
    if (dims === undefined || elementCount(dims) > LARGEST) return undefined;
    const held = node.attributes.value?.type === 'tensor' ? knownOf(node.attributes.value.value) : undefined;
    const data = new Array<number | undefined>(elementCount(dims)).fill(held === undefined ? 0 : held.data[0]);
    return { dataType: held?.dataType ?? 'float32', dims, data };
  },
  Range: (_, [start, limit, delta]) => {
    const [from] = numbersOf(start) ?? [];
    const [to] = numbersOf(limit) ?? [];
    const [by] = numbersOf(delta) ?? [];
    if (start === undefined || from === undefined || to === undefined || by === undefined || by === 0) return undefined;
    const count = Math.max(0, Math.ceil((to - from) / by));
    if (count > LARGEST) return undefined;
    return { dataType: start.dataType, dims: [count], data: Array.from({ length: count }, (__, i) => from + i * by) };
  },
  ReduceProd: total((a, b) => a * b),
  ReduceSum: total((a, b) => a + b),
  ReduceMax: total(Math.max),
  ReduceMin: total(Math.min),
};

function knownOf(tensor: Tensor): Known | undefined {
  const { data, dataType, dims } = tensor;
  if (dataType === 'string' || dataType === 'float16' || !isSmall(dims)) return undefined;
  return { dataType, dims, data: Array.from(data as ArrayLike<number | bigint>, Number) };
}

const ARRAYS: Readonly<Partial<Record<DataType, (numbers: readonly number[]) => TensorData>>> = {
  float32: (numbers) => Float32Array.from(numbers),
  float64: (numbers) => Float64Array.from(numbers),
  int32: (numbers) => Int32Array.from(numbers),
  int64: (numbers) => BigInt64Array.from(numbers, (element) => BigInt(Math.trunc(element))),
  bool: (numbers) => Uint8Array.from(numbers),
};

/** The tensor that a Constant node holds, if it is numeric. */
export function constantOfNode(node: Node): Tensor | undefined {
  const { value, value_float, value_floats, value_int, value_ints } = node.attributes;
  if (value?.type === 'tensor') return value.value;
  if (value_float?.type === 'float') return { dataType: 'float32', dims: [], data: Float32Array.of(value_float.value) };
  if (value_floats?.type === 'floats') {
    return { dataType: 'float32', dims: [value_floats.value.length], data: Float32Array.from(value_floats.value) };
  }
  if (value_int?.type === 'int')
    return { dataType: 'int64', dims: [], data: BigInt64Array.of(BigInt(value_int.value)) };
  if (value_ints?.type === 'ints') {
    return { dataType: 'int64', dims: [value_ints.value.length], data: BigInt64Array.from(value_ints.value, BigInt) };
  }
  return undefined;
}

function shapeOf(node: Node, type: ValueType | undefined): Known | undefined {
  if (type === undefined) return undefined;
  const sizes = type.dims.map((size) => (isBatchAxis(size) ? undefined : size));
  if (node.op === 'Size') {
    const known = sizes.filter((size) => size !== undefined);
    return { dataType: 'int64', dims: [], data: [known.length === sizes.length ? elementCount(known) : undefined] };
  }
  const start = intAttribute(node, 'start', 0);
  const end = intAttribute(node, 'end', sizes.length);
  const kept = sizes.slice(start, end);
  return { dataType: 'int64', dims: [kept.length], data: kept };
}

function evaluated(
  node: Node,
  types: ReadonlyMap<string, ValueType>,
  read: (name: string) => Known | undefined,
): Known | undefined {
  if (node.op === 'Shape' || node.op === 'Size') return shapeOf(node, types.get(node.inputs[0] ?? ''));
  try {
    return EVALUATIONS[node.op]?.(
      node,
      node.inputs.map((input) => (input === '' ? undefined : read(input))),
    );
  } catch (error) {
    // Axes and sizes that make no sense: the runtime refuses the node in its own words.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/**
 * The small values of a graph (shapes, axes, conditions) that are known before it runs, however its exporter computes
 * them; with `types`, those too that follow from the shapes of other values and not from the batch.
 */
export function knownValues(graph: Graph, types: ReadonlyMap<string, ValueType> = new Map()): Map<string, Tensor> {
  const known = new Map<string, Known>();
  const result = new Map<string, Tensor>();
  const fed = new Set(graph.inputs.map(({ name }) => name));
  const read = (name: string): Known | undefined => {
    const initializer = fed.has(name) ? undefined : graph.initializers.get(name);
    return known.get(name) ?? (initializer && knownOf(initializer));
  };
  for (const node of graph.nodes) {
    const [name = ''] = node.outputs;
    if (node.domain !== '' || node.outputs.length !== 1 || name === '') continue;
    const held = node.op === 'Constant' ? constantOfNode(node) : undefined;
    if (held !== undefined) result.set(name, held);
    const made = held === undefined ? evaluated(node, types, read) : knownOf(held);
    if (made === undefined || !isSmall(made.dims)) continue;
    known.set(name, made);
    const numbers = numbersOf(made);
    const data = numbers?.every(Number.isFinite) ? ARRAYS[made.dataType]?.(numbers) : undefined;
    if (data !== undefined && !result.has(name)) result.set(name, { dataType: made.dataType, dims: made.dims, data });
  }
  return result;
}
