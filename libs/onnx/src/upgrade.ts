import { type GraphBuilder, IR_VERSION, OPSET } from './builder.ts';
import {
  type Attribute,
  type Attributes,
  describeNode,
  floatAttribute,
  type Graph,
  int,
  intAttribute,
  intsAttribute,
  type Model,
  type Node,
  OnnxError,
  string,
  stringAttribute,
} from './model.ts';
import { rewriteNodes } from './rewrite.ts';
import { float32, int64 } from './tensor.ts';

/** Oldest operator set that is upgraded: the first whose arithmetic broadcasts as today's does. */
export const OLDEST_OPSET = 7;

/**
 * Newest operator set that is read: what the bundled runtime runs. Sets 22 to 26 gave old operators further element types
 * and attributes that speak of those alone, and brought new operators, which `rewriteFused` writes by old ones.
 */
export const NEWEST_OPSET = 26;

/** What operator sets 22 to 26 brought: graphs of set 21 cannot hold it. */
export const NEW_OPERATORS: ReadonlySet<string> = new Set(
  'Attention BitCast CumProd RMSNormalization RotaryEmbedding Swish TensorScatter'.split(' '),
);

/** Attributes that operator sets 22 to 26 gave to old operators, all of them about element types that are not read. */
const NEW_ATTRIBUTES: Readonly<Record<string, readonly string[]>> = {
  Cast: ['round_mode'],
  CastLike: ['round_mode'],
  DequantizeLinear: ['output_dtype'],
  QuantizeLinear: ['precision'],
};

/** Writes helpers with the builder and returns the node in its next form. */
type Step = (node: Node, b: GraphBuilder, graph: Graph) => Node;

const without = (node: Node, ...names: readonly string[]): Attributes =>
  Object.fromEntries(Object.entries(node.attributes).filter(([name]) => !names.includes(name)));

const withAttribute = (node: Node, name: string, value: Attribute): Node => ({
  ...node,
  attributes: { ...node.attributes, [name]: value },
});

/** Inputs with one set at a position; those left out before it are empty. */
const placed = (inputs: readonly string[], at: number, value: string): string[] =>
  Array.from({ length: Math.max(inputs.length, at + 1) }, (_, i) => (i === at ? value : (inputs[i] ?? '')));

/** An integer list attribute becomes input `at`. */
const listToInput =
  (name: string, at: number): Step =>
  (node, b) => {
    const list = intsAttribute(node, name);
    return {
      ...node,
      inputs: list === undefined ? node.inputs : placed(node.inputs, at, b.ints(list)),
      attributes: without(node, name),
    };
  };

/** A number of the element type of `like`, which the old forms kept in a float attribute. */
const numberLike = (b: GraphBuilder, value: number, like: string) =>
  b.op('CastLike', [b.constant(float32([value], [])), like]);

/** Softmax and its kin worked on the value flattened to a matrix at `axis`; now they work along one axis. */
const flattenedAxis: Step = (node, b) => {
  const axis = intAttribute(node, 'axis', 1);
  if (axis === -1) return node;
  const [x = ''] = node.inputs;
  const flat = b.op('Flatten', [x], { axis: int(axis) });
  const made = b.op(node.op, [flat], { axis: int(-1) });
  return { ...node, op: 'Reshape', inputs: [made, b.op('Shape', [x])], attributes: {} };
};

const reductionAxes = listToInput('axes', 1);

/** Dropout and BatchNormalization for inference; the attributes and outputs that only training used go. */
const inferenceDropout: Step = (node) => ({ ...node, attributes: without(node, 'ratio', 'is_test') });

const inferenceBatchNormalization: Step = (node) => {
  if (node.outputs.slice(1).some((output) => output !== '') || intAttribute(node, 'spatial', 1) === 0) {
    throw new OnnxError(`${describeNode(node)} is in its training form; export the model for inference`);
  }
  return { ...node, outputs: node.outputs.slice(0, 1), attributes: without(node, 'spatial', 'momentum') };
};

/** Resize as operator set 10 and Upsample meant it. */
const asymmetricResize: Step = (node, b) => {
  const [x = '', given] = node.inputs;
  const scales = node.attributes.scales;
  const factors = scales?.type === 'floats' ? b.constant(float32([...scales.value])) : (given ?? '');
  return {
    ...node,
    op: 'Resize',
    inputs: [x, '', factors],
    attributes: {
      mode: string(stringAttribute(node, 'mode', 'nearest')),
      coordinate_transformation_mode: string('asymmetric'),
      nearest_mode: string('floor'),
    },
  };
};

/** Scales and region of interest left out used to be empty tensors. */
const resizeWithoutEmptyInputs: Step = (node, _, graph) => {
  const isEmpty = (name: string) => graph.initializers.get(name)?.data.length === 0 || isEmptyConstant(graph, name);
  const inputs = node.inputs.map((name, i) => (i > 0 && name !== '' && isEmpty(name) ? '' : name));
  return { ...node, inputs };
};

const isEmptyConstant = (graph: Graph, name: string) => {
  const held = graph.nodes.find(({ op, outputs }) => op === 'Constant' && outputs[0] === name)?.attributes.value;
  return held?.type === 'tensor' && held.value.data.length === 0;
};

/** Scale and shift per group become scale and shift per channel. */
const scalePerChannel: Step = (node, b) => {
  const [x = '', ...perGroup] = node.inputs;
  const groups = b.ints([intAttribute(node, 'num_groups', 1)]);
  const channels = b.op('Shape', [x], { start: int(1), end: int(2) });
  const shape = b.concat([groups, b.op('Div', [channels, groups])], 0);
  const spread = perGroup.map((value) =>
    b.op('Reshape', [b.op('Expand', [b.op('Unsqueeze', [value, b.ints([1])]), shape]), b.ints([-1])]),
  );
  return { ...node, inputs: [x, ...spread] };
};

const GRID_SAMPLE_MODES: Readonly<Record<string, string>> = { bilinear: 'linear', bicubic: 'cubic' };

/** By operator, the operator set that brought a new form, and the step to that form. */
const STEPS: Readonly<Record<string, Readonly<Record<number, Step>>>> = {
  BatchNormalization: { 14: inferenceBatchNormalization },
  Clip: {
    11: (node, b) => {
      const [x = ''] = node.inputs;
      const bound = (name: string) =>
        node.attributes[name] === undefined ? '' : numberLike(b, floatAttribute(node, name, 0), x);
      return { ...node, inputs: [x, bound('min'), bound('max')], attributes: {} };
    },
  },
  DFT: {
    20: (node, b) => {
      const axis = b.constant(int64([intAttribute(node, 'axis', 1)], []));
      return { ...node, inputs: placed(node.inputs, 2, axis), attributes: without(node, 'axis') };
    },
  },
  Dropout: { 12: inferenceDropout },
  GridSample: {
    20: (node) => {
      const mode = stringAttribute(node, 'mode', 'bilinear');
      return withAttribute(node, 'mode', string(GRID_SAMPLE_MODES[mode] ?? mode));
    },
  },
  GroupNormalization: { 21: scalePerChannel },
  Hardmax: { 13: flattenedAxis },
  LogSoftmax: { 13: flattenedAxis },
  Pad: {
    11: (node, b) => {
      const [x = ''] = node.inputs;
      const value = floatAttribute(node, 'value', 0);
      const pads = b.ints(intsAttribute(node, 'pads') ?? []);
      return {
        ...node,
        inputs: value === 0 ? [x, pads] : [x, pads, numberLike(b, value, x)],
        attributes: without(node, 'pads', 'value'),
      };
    },
  },
  ReduceL1: { 18: reductionAxes },
  ReduceL2: { 18: reductionAxes },
  ReduceLogSum: { 18: reductionAxes },
  ReduceLogSumExp: { 18: reductionAxes },
  ReduceMax: { 18: reductionAxes },
  ReduceMean: { 18: reductionAxes },
  ReduceMin: { 18: reductionAxes },
  ReduceProd: { 18: reductionAxes },
  ReduceSum: { 13: reductionAxes },
  ReduceSumSquare: { 18: reductionAxes },
  Resize: { 11: asymmetricResize, 13: resizeWithoutEmptyInputs },
  RoiAlign: {
    16: (node) => withAttribute(node, 'coordinate_transformation_mode', string('output_half_pixel')),
  },
  Scatter: { 11: (node) => ({ ...node, op: 'ScatterElements' }) },
  Slice: {
    10: (node, b) => {
      const [x = ''] = node.inputs;
      const [starts = [], ends = []] = [intsAttribute(node, 'starts'), intsAttribute(node, 'ends')];
      const axes = intsAttribute(node, 'axes') ?? starts.map((_, axis) => axis);
      return { ...node, inputs: [x, b.ints(starts), b.ints(ends), b.ints(axes)], attributes: {} };
    },
  },
  Softmax: { 13: flattenedAxis },
  Split: {
    13: listToInput('split', 1),
    18: (node) =>
      node.inputs[1] === undefined || node.inputs[1] === ''
        ? withAttribute(node, 'num_outputs', int(node.outputs.length))
        : node,
  },
  Squeeze: { 13: listToInput('axes', 1) },
  TopK: {
    10: (node, b) => ({
      ...node,
      inputs: [...node.inputs, b.ints([intAttribute(node, 'k', 1)])],
      attributes: without(node, 'k'),
    }),
  },
  Unsqueeze: { 13: listToInput('axes', 1) },
  Upsample: { 11: asymmetricResize },
};

/** A model of a newer operator set in that of the graphs written here; new operators stay, for others to write out. */
function downgraded(model: Model): Model {
  const graph = rewriteNodes(
    model.graph,
    (node) => {
      const names = node.domain === '' ? NEW_ATTRIBUTES[node.op] : undefined;
      return names === undefined ? node : { ...node, attributes: without(node, ...names) };
    },
    'upgraded/',
  );
  return { ...model, irVersion: IR_VERSION, opset: OPSET, graph };
}

/**
 * Writes a model in operator set 21: every node takes the form that this set gives it, with the same meaning.
 * @throws OnnxError when the model is older than `OLDEST_OPSET` or newer than `NEWEST_OPSET`, or holds a training form.
 */
export function upgradeModel(model: Model): Model {
  const target = OPSET;
  if (model.opset > NEWEST_OPSET || model.opset < OLDEST_OPSET) {
    throw new OnnxError(
      `the model is written in opset ${model.opset}; opsets ${OLDEST_OPSET} to ${NEWEST_OPSET} can be read: convert it`,
    );
  }
  if (model.opset === target) return model;
  if (model.opset > target) return downgraded(model);
  const graph = rewriteNodes(
    model.graph,
    (node, b, outer) => {
      let upgraded = node;
      for (let version = model.opset + 1; version <= target && upgraded.domain === ''; version++) {
        const step = STEPS[upgraded.op]?.[version];
        if (step !== undefined) upgraded = step(upgraded, b, outer);
      }
      return upgraded;
    },
    'upgraded/',
  );
  return { ...model, irVersion: Math.max(model.irVersion, IR_VERSION), opset: target, graph };
}
