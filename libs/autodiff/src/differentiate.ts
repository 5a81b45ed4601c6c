import {
  type Dimension,
  describeNode,
  freeValues,
  type Graph,
  isBatchAxis,
  type Node,
  OnnxError,
  OPSET,
  producers,
  prune,
  renameValues,
  type ValueInfo,
  type ValueType,
  valueNames,
} from '@faultline/onnx';
import { absorb } from './absorb.ts';
import { NodeContext } from './context.ts';
import { decompose } from './decompose.ts';
import { type Dims, describeDims, range, sameDims, type Value } from './dims.ts';
import { distribute } from './distribute.ts';
import { Expressions, isStep } from './expressions.ts';
import { ESTIMATES, MOVES, ROUNDINGS, ruleOf, STOPS } from './rules/index.ts';

export interface DifferentiateOptions {
  readonly graph: Graph;
  /** Types of all values of the graph, as a dry run finds them. */
  readonly types: ReadonlyMap<string, ValueType>;
  /** The value whose sum over all elements is differentiated, such as a loss per example [batch]. */
  readonly output: string;
  /** Inputs, initializers or inner values to differentiate with respect to. */
  readonly wrt: readonly string[];
  /** Name of the output that holds a gradient; `grad/<name>` by default. */
  readonly gradName?: (name: string) => string;
  /** Version of the standard operators that the graph is written in, 13 or later; 21 by default. */
  readonly opset?: number;
  /**
   * Gradients pass Round, Floor and Ceil as if they were the identity (straight-through estimation, Bengio et al. 2013, arXiv 1308.3432), where by default none
   * comes back: they are constant almost everywhere.
   */
  readonly straightThrough?: boolean;
}

/** Oldest opset whose reductions, slices and Softmax mean what the rules take them to mean. */
const OLDEST_OPSET = 13;

/** A value to be differentiated passes through an operator that has no rule. */
export class MissingRuleError extends OnnxError {
  override name = 'MissingRuleError';
  readonly op: string;
  readonly node: Node;
  readonly opset: number;

  constructor(node: Node, opset: number, output: string) {
    const domain = node.domain === '' ? 'ai.onnx' : node.domain;
    super(
      `no gradient rule for ${node.op} (${domain}, opset ${opset}): ${describeNode(node)} lies between the ` +
        `variables and '${output}'; replace it by operators that have rules, or differentiate with respect to a later value`,
    );
    this.op = node.op;
    this.node = node;
    this.opset = opset;
  }
}

export const isFloating = (type: ValueType | undefined) => type?.dataType === 'float32' || type?.dataType === 'float64';

/** Everything a node reads, the outer values of its subgraphs included. */
export function readsOf(node: Node): string[] {
  const reads = node.inputs.filter((name) => name !== '');
  for (const attribute of Object.values(node.attributes)) {
    if (attribute.type === 'graph') reads.push(...freeValues(attribute.value));
  }
  return reads;
}

/** Whether a node's output is a level of quantisation, an integer that stands for a number. */
const isLevel = (node: Node, levels: ReadonlySet<string>) =>
  ESTIMATES.has(node.op) || (MOVES.has(node.op) && node.inputs.some((name) => levels.has(name)));

/** Whether no gradient flows through a node. */
const stops = (node: Node, straightThrough: boolean) =>
  node.domain === '' && ((STOPS.has(node.op) && !(straightThrough && ROUNDINGS.has(node.op))) || isStep(node));

/** Values through which the variables act on the output. */
export function valuesOnPath({
  graph,
  types,
  output,
  wrt,
  straightThrough = false,
}: Pick<DifferentiateOptions, 'graph' | 'types' | 'output' | 'wrt' | 'straightThrough'>): Set<string> {
  const dependent = new Set(wrt);
  const levels = new Set<string>();
  for (const node of graph.nodes) {
    if (stops(node, straightThrough)) continue;
    if (!readsOf(node).some((name) => dependent.has(name))) continue;
    for (const [i, made] of node.outputs.entries()) {
      if (made === '') continue;
      if (isFloating(types.get(made)) && !(i > 0 && ESTIMATES.has(node.op))) dependent.add(made);
      else if (i === 0 || MOVES.has(node.op)) {
        if (!isLevel(node, levels)) continue;
        dependent.add(made);
        levels.add(made);
      }
    }
  }
  const reaching = new Set([output]);
  for (const node of graph.nodes.toReversed()) {
    if (stops(node, straightThrough)) continue;
    if (!node.outputs.some((name) => reaching.has(name) && dependent.has(name))) continue;
    for (const name of readsOf(node)) reaching.add(name);
  }
  return new Set([...dependent].filter((name) => reaching.has(name)));
}

const typedIn =
  (types: ReadonlyMap<string, ValueType>) =>
  (name: string): Value => {
    const type = types.get(name);
    if (type === undefined) throw new OnnxError(`types: the type of '${name}' is missing`);
    return { name, ...type };
  };

/** Sums a contribution over the axes on which the value it belongs to was broadcast. */
function reduceTo(e: Expressions, value: Value, dims: Dims): Value {
  const leading = value.dims.length - dims.length;
  const broadcast = range(leading, value.dims.length).filter(
    (axis) => dims[axis - leading] === 1 && value.dims[axis] !== 1,
  );
  if (broadcast.length === 0) return e.reduceSum(value, range(0, leading), false);
  const summed = e.reduceSum(value, [...range(0, leading), ...broadcast]);
  return leading === 0 ? summed : e.reshape(summed, summed.dims.slice(leading));
}

const symbolOf = (size: Dims[number]): Dimension => (isBatchAxis(size) ? (size.batch === 1 ? 'batch' : '') : size);

function checkNames({ graph, types, output, wrt, opset = OPSET }: DifferentiateOptions): void {
  if (opset < OLDEST_OPSET) {
    throw new OnnxError(
      `the graph is written in opset ${opset}; gradients need ${OLDEST_OPSET} or later: convert the model`,
    );
  }
  const names = valueNames(graph);
  for (const [field, name] of [['output', output], ...wrt.map((value) => ['wrt', value])] as const) {
    if (name === undefined || !names.has(name)) throw new OnnxError(`${field}: the graph has no value '${name}'`);
    const type = types.get(name);
    if (type === undefined) throw new OnnxError(`types: the type of '${name}' is missing`);
    if (!isFloating(type))
      throw new OnnxError(`${field}: '${name}' is ${type.dataType}; gradients are of float32 or float64`);
  }
}

/**
 * Reverse-mode differentiation: the graph's forward nodes followed by backward nodes, all of them standard operators.
 * Its outputs are the graph's own and, for each value in `wrt`, the gradient of the sum of `output`, in the value's
 * shape (zeros where the value does not act on the output).
 *
 * @throws MissingRuleError when a value on the way from `wrt` to `output` passes an operator without a rule.
 * @throws OnnxError when a name or a type is missing, or a node has a form that its rule does not cover.
 */
export function differentiate(options: DifferentiateOptions): Graph {
  return attempt(options, (_, error) => {
    throw error;
  });
}

/** Values that the result must hold, or that are read where rewrites of the forward graph do not look. */
const namesToKeep = ({ graph, output, wrt }: DifferentiateOptions): Set<string> =>
  new Set([
    output,
    ...wrt,
    ...graph.outputs.map(({ name }) => name),
    ...graph.nodes.flatMap((node) => readsOf(node).filter((name) => !node.inputs.includes(name))),
  ]);

/** Differentiates, telling of nodes that have no rule or no rule for their form; behind them gradients are zeros. */
export function attempt(options: DifferentiateOptions, report: (node: Node, error: unknown) => void): Graph {
  checkNames(options);
  const { output, wrt, gradName = (name) => `grad/${name}`, opset = OPSET, straightThrough = false } = options;
  const gradNames = wrt.map(gradName);
  const crossed = valuesOnPath(options);
  const kept = namesToKeep(options);
  const { graph, types } = decompose(
    distribute(absorb(options, kept), kept),
    ({ outputs }) => outputs.some((name) => crossed.has(name)),
    typedIn(options.types),
    opset,
    gradNames,
    report,
  );
  const made = producers(graph);
  const producerOf = (name: string) => made.get(name);
  const e = new Expressions(graph, gradNames, { types });
  const typedValue = typedIn(types);
  const onPath = valuesOnPath({ graph, types, output, wrt, straightThrough });
  const contributions = new Map<string, Value[]>();
  const gradOf = (name: string): Value | undefined => {
    const parts = contributions.get(name);
    if (parts === undefined) return undefined;
    const total = e.sum(parts);
    contributions.set(name, [total]);
    return total;
  };

  const { dims, dataType } = typedValue(output);
  if (onPath.has(output)) {
    const ones = e.scalar(
      1,
      dataType,
      dims.map(() => 1),
    );
    contributions.set(output, [ones]);
  }
  for (const node of graph.nodes.toReversed()) {
    if (!node.outputs.some((name) => contributions.has(name))) continue;
    if (!readsOf(node).some((name) => onPath.has(name))) continue;
    if (stops(node, straightThrough)) continue;
    const rule = node.domain === '' ? (ruleOf(node.op) ?? ROUNDINGS.get(node.op)) : undefined;
    const wanted = (name: string) => onPath.has(name);
    const context = new NodeContext({ node, opset, e, typedValue, gradOf, wanted, producerOf });
    const contribute = (name: string, part: Value) =>
      contributions.set(name, [...(contributions.get(name) ?? []), part]);
    try {
      if (rule === undefined) throw new MissingRuleError(node, opset, output);
      const writers = rule(context);
      for (const [i, name] of node.inputs.entries()) {
        if (!context.needs(i)) continue;
        const write = writers[i];
        // Silence would make a wrong gradient.
        if (write === undefined) throw context.fail(`its input ${i}, '${name}', has no rule`);
        contribute(name, reduceTo(e, write(), typedValue(name).dims));
      }
    } catch (error) {
      report(node, error);
      for (const name of readsOf(node)) {
        const value = onPath.has(name) ? typedValue(name) : undefined;
        if (value !== undefined)
          contribute(name, e.zerosLike({ ...value, dataType: isFloating(value) ? value.dataType : 'float32' }));
      }
    }
  }

  const gradients = wrt.map((name) => {
    const value = typedValue(name);
    const total = gradOf(name);
    const grad = total === undefined ? e.zerosLike(value) : e.expand(total, value.dims, value);
    if (!sameDims(grad.dims, value.dims)) {
      throw new OnnxError(
        `the gradient of '${name}' came out as ${describeDims(grad.dims)} instead of ${describeDims(value.dims)}`,
      );
    }
    return { grad, name: gradName(name), info: infoOf(value, graph) };
  });
  return assemble(graph, e.graph, gradients);
}

const infoOf = (value: Value, graph: Graph): ValueInfo => {
  const input = graph.inputs.find(({ name }) => name === value.name);
  return { name: value.name, dataType: value.dataType, dims: input?.dims ?? value.dims.map(symbolOf) };
};

/** Joins forward and backward nodes, names the gradients, drops what nothing needs. */
function assemble(
  forward: Graph,
  backward: Graph,
  gradients: readonly { grad: Value; name: string; info: ValueInfo }[],
): Graph {
  const written = new Set(backward.nodes.flatMap(({ outputs }) => outputs));
  const renamed = new Map<string, string>();
  const copies: Node[] = [];
  for (const { grad, name } of gradients) {
    if (written.has(grad.name) && !renamed.has(grad.name)) renamed.set(grad.name, name);
    else copies.push({ name: '', op: 'Identity', domain: '', inputs: [grad.name], outputs: [name], attributes: {} });
  }
  const named = renameValues(
    { ...backward, nodes: [...backward.nodes, ...copies] },
    (name) => renamed.get(name) ?? name,
  );
  const joined: Graph = {
    name: forward.name,
    nodes: [...forward.nodes, ...named.nodes],
    inputs: forward.inputs,
    outputs: [...forward.outputs, ...gradients.map(({ name, info }) => ({ ...info, name }))],
    initializers: new Map([...forward.initializers, ...named.initializers]),
  };
  return prune(joined, new Set(forward.inputs.map(({ name }) => name)));
}
