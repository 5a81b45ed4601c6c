import {
  type AxisSize,
  type Graph,
  GraphBuilder,
  isBatchAxis,
  joinGraphs,
  OnnxError,
  prune,
  renameValues,
  type ValueType,
} from '@faultline/onnx';
import type { ShapedProgram } from './program-shape.ts';
import { type EvaluationSetting, variableDims } from './setting.ts';
import { EXAMPLES, splitSlot } from './slots.ts';
import { ancestors, dimsOfTap, type GraphTap, untyped, type VictimGraph } from './victim-graph.ts';

/** One evaluation as a single graph: transform, victim, objective, and what joins them. */
export interface ComposedEvaluation {
  /** (slots) -> loss, logits, tap/T. */
  readonly graph: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
  /** The value whose sum is differentiated. */
  readonly output: string;
  /** By gradient slot, the value that it is the gradient with respect to. */
  readonly wrt: ReadonlyMap<string, string>;
}

/** The programs inside one evaluation, and the taps that the step program reads of it. */
export interface EvaluationParts {
  readonly transform: ShapedProgram | undefined;
  readonly objective: ShapedProgram;
  readonly stepTaps: readonly string[];
}

const floats = (dims: readonly AxisSize[]): ValueType => ({ dataType: 'float32', dims });

/** Joins graphs, and keeps the types of their values. */
class Assembly {
  readonly #graphs: Graph[] = [];
  readonly types = new Map<string, ValueType>();

  add(graph: Graph, types: Iterable<readonly [string, ValueType]>): void {
    this.#graphs.push(graph);
    for (const [name, type] of types) this.types.set(name, type);
    for (const [name, tensor] of graph.initializers)
      this.types.set(name, { dataType: tensor.dataType, dims: tensor.dims });
  }

  /** A few nodes that make the value `name` of `source`; `typed` notes the shape of a value between the two. */
  glue(
    name: string,
    source: string,
    [sourceDims, dims]: readonly [readonly AxisSize[], readonly AxisSize[]],
    make: (b: GraphBuilder, typed: (value: string, dims: readonly AxisSize[]) => string) => string,
  ): void {
    const b = new GraphBuilder({ prefix: `glue/${name}/` });
    b.input(source, []);
    const types = new Map([[source, floats(sourceDims)]]);
    const made = make(b, (value, between) => {
      types.set(value, floats(between));
      return value;
    });
    b.output(made, undefined, 'unknown', name);
    for (const value of [made, name]) types.set(value, floats(dims));
    this.add(b.graph(), types);
  }

  joined(outputs: readonly string[]): Graph {
    const graph = joinGraphs(this.#graphs, outputs.map(untyped));
    const inputs = graph.inputs.map((input) => {
      const dims = this.types.get(input.name)?.dims.map((size) => (isBatchAxis(size) ? EXAMPLES : size));
      return { ...input, dataType: 'float32' as const, dims };
    });
    return prune({ ...graph, inputs });
  }
}

/** A program's graph with its inner values named apart, and slots under other names where `at` says so. */
function apart({ program, graph, types }: ShapedProgram, at: (slot: string) => string) {
  const border = new Set([...graph.inputs, ...graph.outputs].map((value) => value.name));
  const rename = (name: string) => (border.has(name) ? at(name) : `${program.role}/${name}`);
  return {
    graph: renameValues(graph, rename),
    types: Array.from(types, ([name, type]) => [rename(name), type] as const),
  };
}

/** The victim's graph with the values of some taps coming from outside instead of from their nodes. */
function cutAt(graph: Graph, taps: readonly GraphTap[]): Graph {
  const values = new Set(taps.map(({ value }) => value));
  const made = new Set(graph.nodes.flatMap((node) => node.outputs));
  for (const value of values)
    if (!made.has(value)) throw new OnnxError(`the tap's value '${value}' is made by no node; attack the input itself`);
  const nodes = graph.nodes.map((node) => ({
    ...node,
    outputs: node.outputs.map((name) => (values.has(name) ? `uncut/${name}` : name)),
  }));
  const inputs = [
    ...graph.inputs,
    ...[...values].map((name) => ({ name, dataType: 'float32' as const, dims: undefined })),
  ];
  return { ...graph, nodes, inputs };
}

/** Throws where one variable decides the value of another. */
function checkIndependent({ graph, taps }: VictimGraph, setting: EvaluationSetting): void {
  const madeAs = (name: string) => taps.get(name)?.value ?? name;
  for (const { name } of setting.variables) {
    const tap = setting.inputs.has(name) ? undefined : taps.get(name);
    if (tap === undefined) continue;
    const above = ancestors(graph, tap.value);
    for (const other of setting.variables) {
      if (other.name !== name && above.has(setting.inputs.has(other.name) ? other.name : madeAs(other.name)))
        throw new RangeError(
          `variable '${name}' is a tap whose value variable '${other.name}' decides; attack one of the two`,
        );
    }
  }
}

/**
 * Composes one evaluation.
 * @throws OnnxError when programs and victim do not fit, RangeError when the variables do not.
 */
export function composeEvaluation(
  victim: VictimGraph,
  setting: EvaluationSetting,
  { transform, objective, stepTaps }: EvaluationParts,
): ComposedEvaluation {
  checkIndependent(victim, setting);
  const { samples, variables } = setting;
  const sampleAxis = samples === undefined ? [] : [samples.count];
  const assembly = new Assembly();
  const seen = new Set(transform?.graph.outputs.map(({ name }) => name));
  const isVariable = (name: string) => variables.some((variable) => variable.name === name);

  // Points repeated over the sample axis.
  const many = (slot: string) => {
    const [family] = splitSlot(slot);
    return samples !== undefined && (family === 'x' || family === 'x0') ? `many/${slot}` : slot;
  };
  const repeat = (slot: string) => {
    const name = many(slot);
    if (name === slot || samples === undefined || assembly.types.has(name)) return;
    const [family, variable] = splitSlot(slot);
    const shared = family === 'x' && variables.some((one) => one.name === variable && one.scope === 'shared');
    const examples = shared ? 1 : { batch: 1 };
    const dims = variableDims(setting, variable);
    const shapes = [
      [examples, ...dims],
      [examples, samples.count, ...dims],
    ] as const;
    assembly.glue(name, slot, shapes, (b, typed) => {
      const single = typed(b.op('Unsqueeze', [slot, b.ints([1])]), [examples, 1, ...dims]);
      return b.op('Expand', [single, b.ints([1, samples.count, ...dims.map(() => 1)])]);
    });
  };
  for (const { name } of variables) repeat(`x/${name}`);
  for (const program of [transform, objective]) for (const { name } of program?.graph.inputs ?? []) repeat(name);

  if (transform !== undefined) {
    const part = apart(transform, many);
    assembly.add(part.graph, part.types);
  }

  // What the victim is given for each input and each tap that is cut.
  const cut = variables.flatMap(({ name }) => (setting.inputs.has(name) ? [] : [{ name, tap: victim.taps.get(name) }]));
  const given = new Map<string, string>();
  const give = (name: string, value: string, rows: number, rowDims: readonly number[]) => {
    let source = `seen/${name}`;
    if (!seen.has(source)) {
      const variable = variables.find((one) => one.name === name);
      if (variable?.scope === 'shared')
        throw new RangeError(`variable '${name}' is shared: it needs a transform program that writes 'seen/${name}'`);
      const slot = isVariable(name) ? `x/${name}` : `x0/${name}`;
      repeat(slot);
      source = many(slot);
    }
    const flatRows = rows * (samples?.count ?? 1);
    if (samples === undefined && rows === 1) {
      if (!assembly.types.has(source))
        assembly.types.set(source, { dataType: 'float32', dims: [{ batch: 1 }, ...rowDims] });
      given.set(value, source);
      return;
    }
    const flat = `flat/${source}`;
    const dims = [{ batch: 1 }, ...sampleAxis, ...variableDims(setting, name)];
    assembly.glue(flat, source, [dims, [{ batch: flatRows }, ...rowDims]], (b) => b.reshape(source, [-1, ...rowDims]));
    given.set(value, flat);
  };
  for (const [name, dims] of setting.inputs) give(name, name, 1, dims);
  for (const { name, tap } of cut) if (tap !== undefined) give(name, tap.value, tap.rows, tap.rowDims);

  const inner = (name: string) => {
    if (name === victim.logits) return samples === undefined ? 'logits' : 'flat/logits';
    return given.get(name) ?? `victim/${name}`;
  };
  const graph = cutAt(
    victim.graph,
    cut.flatMap(({ tap }) => tap ?? []),
  );
  if (cut.some(({ tap }) => tap?.value === victim.logits)) throw new RangeError('the logits cannot be a variable');
  const scaled = (size: AxisSize) => (isBatchAxis(size) ? { batch: size.batch * (samples?.count ?? 1) } : size);
  const victimTypes = Array.from(victim.types, ([name, type]) => {
    return [inner(name), { ...type, dims: type.dims.map(scaled) }] as const;
  });
  assembly.add(renameValues(graph, inner), victimTypes);

  if (samples !== undefined) {
    const flat = [{ batch: samples.count }, setting.labels];
    assembly.glue('logits', 'flat/logits', [flat, [{ batch: 1 }, samples.count, setting.labels]], (b) =>
      b.reshape('flat/logits', [-1, samples.count, setting.labels]),
    );
  }
  const objectiveTaps = objective.graph.inputs
    .map(({ name }) => splitSlot(name))
    .filter(([family]) => family === 'tap');
  for (const name of new Set([...objectiveTaps.map(([, tap]) => tap), ...stepTaps])) {
    const tap = victim.taps.get(name);
    if (tap === undefined) throw new OnnxError(`the victim has no tap '${name}'`);
    const source = inner(tap.value);
    const dims = [{ batch: 1 }, ...sampleAxis, ...variableDims(setting, name)];
    const flat = [{ batch: tap.rows * (samples?.count ?? 1) }, ...tap.rowDims];
    assembly.glue(`tap/${name}`, source, [flat, dims], (b) =>
      b.reshape(source, [-1, ...sampleAxis, ...variableDims(setting, name)]),
    );
  }
  const part = apart(objective, many);
  assembly.add(part.graph, part.types);

  let output = 'loss';
  if (samples?.gradient === 'mean') {
    output = 'total';
    assembly.glue(output, 'loss', [[{ batch: 1 }, samples.count], [{ batch: 1 }]], (b) =>
      b.reduceMean('loss', [1], false),
    );
  }
  const each = samples?.gradient === 'each';
  const wrt = new Map(variables.map(({ name }) => [`grad/${name}`, each ? many(`x/${name}`) : `x/${name}`]));
  const outputs = new Set([
    'loss',
    'logits',
    ...stepTaps.map((name) => `tap/${name}`),
    ...(output === 'loss' ? [] : [output]),
  ]);
  const graphOfAll = assembly.joined([...outputs]);
  for (const { name } of variables) {
    if (!graphOfAll.inputs.some((input) => input.name === `x/${name}`))
      throw new RangeError(`variable '${name}' has no effect: neither the victim nor a program reads it`);
  }
  return { graph: graphOfAll, types: assembly.types, output, wrt };
}

/**
 * (x0/I by clip) -> clean values of taps, [clips, ...].
 * @param wanted the tap behind each output: `x0/T` of taps that are variables, `tap0/T` of those that are read
 * @param further outputs beside them: 'logits', or nothing
 */
export function composeClean(
  victim: VictimGraph,
  wanted: ReadonlyMap<string, string>,
  further: readonly 'logits'[] = [],
): Graph {
  const inner = (name: string) => {
    if (name === victim.logits) return 'logits';
    return victim.shapes.inputs.has(name) ? `x0/${name}` : `victim/${name}`;
  };
  const b = new GraphBuilder({ prefix: 'clean/' });
  for (const [slot, name] of wanted) {
    const tap = victim.taps.get(name);
    if (tap === undefined) throw new OnnxError(`the victim has no tap '${name}'`);
    b.output(b.reshape(inner(tap.value), [-1, ...dimsOfTap(tap)]), undefined, 'unknown', slot);
  }
  const outputs = [...wanted.keys(), ...further].map(untyped);
  return prune(joinGraphs([renameValues(victim.graph, inner), b.graph()], outputs));
}
