import {
  type AxisSize,
  checkGraph,
  type DataType,
  type Dimension,
  describeNode,
  type Graph,
  isBatchAxis,
  knownValues,
  modelOf,
  OnnxError,
  type ValueInfo,
  type ValueType,
  valueNames,
} from '@faultline/onnx';
import { type OutputType, Session } from '@faultline/ort';
import { type Program, ProgramError, type ProgramSet } from './program.ts';
import type { EvaluationSetting } from './setting.ts';
import { EXAMPLES, SlotError, slotDims } from './slots.ts';

/** Two numbers of examples, so that what follows them shows; neither is 1, which could hide behind broadcasting. */
const BATCH_SIZES = [2, 3] as const;

/** Sizes that are computed from sizes need a pass for each step of the computation; more than this nobody writes. */
const MAX_PASSES = 16;

/** A program with the types of all its values, found without running it. */
export interface ShapedProgram {
  readonly program: Program;
  /** Its graph, the inputs in the shapes that the protocol gives them. */
  readonly graph: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
}

/** The programs of a loop, shaped. */
export interface ShapedPrograms {
  readonly transform: ShapedProgram | undefined;
  readonly objective: ShapedProgram;
  readonly step: ShapedProgram;
  readonly init: ShapedProgram | undefined;
}

export const listPrograms = ({ transform, objective, step, init }: ShapedPrograms): ShapedProgram[] =>
  [transform, objective, step, init].filter((program) => program !== undefined);

/** Shapes all programs of a loop. */
export async function shapePrograms(
  { transform, objective, step, init }: ProgramSet,
  shape: (program: Program) => Promise<ShapedProgram>,
): Promise<ShapedPrograms> {
  return {
    transform: transform && (await shape(transform)),
    objective: await shape(objective),
    step: await shape(step),
    init: init && (await shape(init)),
  };
}

/**
 * Learns the shape of every value of a program from what the runtime infers at loading: nothing is run, so that a program
 * that would make something enormous costs nothing.
 * @throws ProgramError for a slot in another shape than the protocol's, and for a size that cannot be told without running.
 */
export async function shapeProgram(program: Program, setting: EvaluationSetting): Promise<ShapedProgram> {
  try {
    const graph = inProtocolShape(program, setting);
    const [small, large] = [await typesAt(graph, BATCH_SIZES[0]), await typesAt(graph, BATCH_SIZES[1])];
    const types = new Map<string, ValueType>();
    for (const [name, { dataType, dims }] of small) {
      const more = large.get(name)?.dims ?? dims;
      types.set(name, { dataType, dims: dims.map((size, axis) => axisSize(name, size, more[axis] ?? size)) });
    }
    for (const [name, tensor] of graph.initializers) types.set(name, { dataType: tensor.dataType, dims: tensor.dims });
    checkOutputs(program, setting, types);
    checkDivisors(graph, types);
    return { program, graph, types };
  } catch (error) {
    if (error instanceof ProgramError) throw error;
    if (error instanceof SlotError || error instanceof OnnxError)
      throw new ProgramError(program.role, error.message, { cause: error });
    // The runtime's own words on a node that it refuses.
    if (error instanceof Error)
      throw new ProgramError(program.role, `cannot be loaded: ${error.message}`, { cause: error });
    throw error;
  }
}

function inProtocolShape({ role, graph }: Program, setting: EvaluationSetting): Graph {
  const inputs = graph.inputs.map(({ name, dataType, dims: declared }): ValueInfo => {
    if (dataType !== 'float32') throw new SlotError(`input '${name}' is ${dataType}; slots are float32`);
    const dims = slotDims(setting, role, name, declared);
    const fits =
      declared === undefined ||
      (declared.length === dims.length && dims.every((size, axis) => agree(declared[axis] ?? '', size)));
    if (!fits) throw new SlotError(`input '${name}' is declared [${declared?.join(', ')}]; it is [${dims.join(', ')}]`);
    return { name, dataType, dims };
  });
  return { ...graph, inputs };
}

/** Whether a declared size can be an actual one; a symbol stands for any. */
const agree = (declared: Dimension, actual: Dimension) => typeof declared === 'string' || declared === actual;

interface ConcreteType {
  readonly dataType: DataType;
  readonly dims: readonly number[];
}

/** Types of all values that nodes make and of the inputs, at a number of examples. */
async function typesAt(graph: Graph, examples: number): Promise<Map<string, ConcreteType>> {
  const inputs = graph.inputs.map((input) => ({
    ...input,
    dims: input.dims?.map((size) => (typeof size === 'number' ? size : examples)),
  }));
  let concrete: Graph = { ...graph, inputs };
  checkGraph(concrete);
  const types = new Map<string, ConcreteType>();
  for (const { name, dims = [] } of inputs) types.set(name, { dataType: 'float32', dims });
  for (let pass = 0; pass < MAX_PASSES; pass++) {
    const inferred = await inferTypes(concrete);
    for (const { name, dataType, dims } of inferred) {
      const sizes = dims.filter((size) => size !== undefined);
      if (sizes.length === dims.length) types.set(name, { dataType, dims: sizes });
    }
    const open = inferred.filter(({ name }) => !types.has(name));
    if (open.length === 0) return types;
    const folded = withKnownValues(concrete, types);
    if (folded === undefined) {
      const node = graph.nodes.find(({ outputs }) => outputs.some((name) => name === open[0]?.name));
      throw new OnnxError(
        `${node === undefined ? 'a value' : describeNode(node)} makes a value whose size shows only when it runs; write sizes as constants`,
      );
    }
    concrete = folded;
  }
  throw new OnnxError(`computes sizes from sizes more than ${MAX_PASSES} times over; write them as constants`);
}

async function inferTypes(graph: Graph): Promise<readonly OutputType[]> {
  const made = graph.nodes.flatMap((node) => node.outputs.filter((name) => name !== ''));
  const outputs = made.map((name): ValueInfo => ({ name, dataType: 'unknown', dims: undefined }));
  if (outputs.length === 0) return [];
  await using session = await Session.create(modelOf({ ...graph, outputs }), {
    optimization: 'disabled',
  });
  return session.outputTypes;
}

/** The graph with the small values that follow from known sizes as constants; undefined when there is none left to replace. */
function withKnownValues(graph: Graph, types: Map<string, ConcreteType>): Graph | undefined {
  const known = knownValues(graph, types);
  const replaced = graph.nodes.filter(({ outputs }) => outputs.length === 1 && known.has(outputs[0] ?? ''));
  if (replaced.length === 0) return undefined;
  const initializers = new Map(graph.initializers);
  for (const { outputs } of replaced) {
    const [name = ''] = outputs;
    const value = known.get(name);
    if (value === undefined) continue;
    initializers.set(name, value);
    types.set(name, { dataType: value.dataType, dims: value.dims });
  }
  return { ...graph, nodes: graph.nodes.filter((node) => !replaced.includes(node)), initializers };
}

function axisSize(name: string, small: number, large: number): AxisSize {
  if (small === large) return small;
  const batch = large - small;
  if (small !== batch * BATCH_SIZES[0])
    throw new OnnxError(
      `value '${name}' has an axis of ${small} at ${BATCH_SIZES[0]} examples but ${large} at ${BATCH_SIZES[1]}: not a multiple of them`,
    );
  return { batch };
}

/** Axes as programs declare them. */
export const symbolic = (dims: readonly AxisSize[]): readonly Dimension[] =>
  dims.map((size) => (isBatchAxis(size) ? (size.batch === 1 ? EXAMPLES : `${size.batch} x ${EXAMPLES}`) : size));

/** Outputs must have their slots' shapes; a shape that the program itself decides (a state's, an outcome's) is taken as it is. */
function checkOutputs(
  { role, graph }: Program,
  setting: EvaluationSetting,
  types: ReadonlyMap<string, ValueType>,
): void {
  const made = valueNames(graph);
  for (const { name } of graph.outputs) {
    const type = types.get(name);
    if (!made.has(name) || type === undefined) throw new SlotError(`output '${name}' is not made by any node`);
    if (type.dataType !== 'float32') throw new SlotError(`output '${name}' is ${type.dataType}; slots are float32`);
    const actual = symbolic(type.dims);
    const dims = slotDims(setting, role, name, actual);
    if (actual.join() !== dims.join())
      throw new SlotError(`output '${name}' is [${actual.join(', ')}]; it must be [${dims.join(', ')}]`);
  }
}

/** The runtime divides integers without looking; on the smallest one, -1 ends the process. */
function checkDivisors(graph: Graph, types: ReadonlyMap<string, ValueType>): void {
  const known = knownValues(graph, types);
  for (const node of graph.nodes) {
    const [dividend = '', divisor = ''] = node.inputs;
    if (!['Div', 'Mod'].includes(node.op) || types.get(dividend)?.dataType.startsWith('float') !== false) continue;
    const values = known.get(divisor) ?? graph.initializers.get(divisor);
    if (values === undefined || Array.from(values.data, Number).some((value) => value < 1))
      throw new OnnxError(`${describeNode(node)} divides integers by something else than constants of 1 or more`);
  }
}
