import { type Graph, type Node, OnnxError, OPSET, type ValueType, valueNames } from '@faultline/onnx';
import { decompositionOf } from './decompositions/index.ts';
import { attempt, MissingRuleError, readsOf, valuesOnPath } from './differentiate.ts';
import { ESTIMATES, ruleOf, STOPS } from './rules/index.ts';

/** What becomes of a gradient at a node. */
export type Treatment = 'rule' | 'straight-through' | 'no gradient flows' | 'missing';

/** What attacks may use of a model. */
export type Verdict = 'white-box' | 'white-box with estimation' | 'black-box only';

export interface InspectedNode {
  readonly node: Node;
  readonly treatment: Treatment;
  /** Why, where the treatment is not a rule. */
  readonly reason?: string;
}

export interface Inspection {
  /** Every node, in the graph's order. */
  readonly nodes: readonly InspectedNode[];
  /** Nodes alike, counted: the table that people read. Missing ones first. */
  readonly operators: readonly {
    readonly op: string;
    readonly domain: string;
    readonly treatment: Treatment;
    readonly count: number;
    readonly reason?: string;
  }[];
  /** The least of the variables' verdicts. */
  readonly verdict: Verdict;
  readonly variables: readonly { readonly name: string; readonly verdict: Verdict; readonly reason?: string }[];
}

export interface InspectOptions {
  /** A graph of standard operators (`standardModel` of @faultline/onnx); others have no rules. */
  readonly graph: Graph;
  /** Types of all values, where they are known: then forms that a rule does not cover show, not only operators. */
  readonly types?: ReadonlyMap<string, ValueType>;
  /** The value to be differentiated; by default the graph's first output. */
  readonly output?: string;
  /** Variables; by default the graph's floating inputs. */
  readonly wrt?: readonly string[];
  readonly opset?: number;
}

/** What every value is taken for in graphs whose types are not known. */
const WITHOUT_TYPES: ValueType = { dataType: 'float32', dims: [] };

/** Takes every value for a floating one where types are not known: more is then reported missing, never less. */
function assumedTypes(graph: Graph): Map<string, ValueType> {
  const types = new Map([...valueNames(graph)].map((name) => [name, WITHOUT_TYPES]));
  for (const { name, dataType } of graph.inputs) {
    if (dataType !== 'unknown') types.set(name, { dataType, dims: [] });
  }
  return types;
}

/** Why nodes have no rule, by node. */
type Problems = Map<Node, string>;

const operatorReason = (node: Node) =>
  node.domain === '' ? 'the operator has no rule' : `operators of ${node.domain} have no rules`;

/** Nodes on the way from one variable that have no rule, or none for their form. */
function problemsOf(
  options: Required<Omit<InspectOptions, 'types'>>,
  types: InspectOptions['types'],
  onPath: ReadonlySet<string>,
) {
  const problems: Problems = new Map();
  const { graph, output, wrt, opset } = options;
  if (types !== undefined) {
    attempt({ graph, types, output, wrt, opset }, (node, error) => {
      const reason =
        error instanceof MissingRuleError ? operatorReason(node) : String((error as Error).message ?? error);
      problems.set(node, reason);
    });
    return problems;
  }
  for (const node of graph.nodes) {
    if (!isCrossed(node, onPath)) continue;
    const known = node.domain === '' && (ruleOf(node.op) ?? decompositionOf(node.op)) !== undefined;
    if (!known) problems.set(node, operatorReason(node));
  }
  return problems;
}

const isStop = (node: Node) => node.domain === '' && STOPS.has(node.op);

/** Whether a gradient passes a node. */
const isCrossed = (node: Node, onPath: ReadonlySet<string>) =>
  !isStop(node) && node.outputs.some((name) => onPath.has(name)) && readsOf(node).some((name) => onPath.has(name));

/** All values that the variables act on, through steps too. */
function reachedFrom(graph: Graph, wrt: readonly string[]): Set<string> {
  const reached = new Set(wrt);
  for (const node of graph.nodes) {
    if (readsOf(node).some((name) => reached.has(name))) for (const name of node.outputs) reached.add(name);
  }
  return reached;
}

const RANKS: readonly Verdict[] = ['white-box', 'white-box with estimation', 'black-box only'];
const TREATMENTS: readonly Treatment[] = ['missing', 'straight-through', 'rule', 'no gradient flows'];

/**
 * Tells, node by node, what becomes of the gradient of `output` on its way to the variables, and what follows for attacks.
 * Never throws for what the graph holds; `differentiate` throws where this says 'missing'.
 * @throws OnnxError when the graph has no such output or variable.
 */
export function inspect(options: InspectOptions): Inspection {
  const { graph, types, opset = OPSET } = options;
  const output = options.output ?? graph.outputs[0]?.name ?? '';
  const known = types ?? assumedTypes(graph);
  const isFloat = (name: string) => known.get(name)?.dataType.startsWith('float') === true;
  const wrt = options.wrt ?? graph.inputs.map(({ name }) => name).filter(isFloat);
  const names = valueNames(graph);
  for (const name of [output, ...wrt]) if (!names.has(name)) throw new OnnxError(`the graph has no value '${name}'`);

  const crossed = new Set<Node>();
  const problems: Problems = new Map();
  const variables = wrt.map((name) => {
    const onPath = valuesOnPath({ graph, types: known, output, wrt: [name] });
    const own = problemsOf({ graph, output, wrt: [name], opset }, types, onPath);
    const passed = graph.nodes.filter((node) => isCrossed(node, onPath));
    for (const node of passed) crossed.add(node);
    for (const [node, reason] of own) problems.set(node, reason);
    return { name, ...verdictOf(onPath.has(name), own, passed) };
  });
  const reached = reachedFrom(graph, wrt);
  const nodes = graph.nodes.map((node): InspectedNode => {
    const problem = problems.get(node);
    if (problem !== undefined) return { node, treatment: 'missing', reason: problem };
    if (crossed.has(node)) {
      return ESTIMATES.has(node.op)
        ? { node, treatment: 'straight-through', reason: 'rounding to levels is taken for the identity' }
        : { node, treatment: 'rule' };
    }
    return { node, treatment: 'no gradient flows', reason: stillness(node, reached) };
  });
  const verdict = RANKS.findLast((rank) => variables.some((variable) => variable.verdict === rank)) ?? 'black-box only';
  return { nodes, operators: counted(nodes), verdict, variables };
}

function stillness(node: Node, reached: ReadonlySet<string>): string {
  if (!readsOf(node).some((name) => reached.has(name))) return 'the variables do not act on it';
  return isStop(node) ? 'its output is constant almost everywhere' : 'no gradient comes back to it';
}

function verdictOf(flows: boolean, problems: Problems, passed: readonly Node[]): { verdict: Verdict; reason?: string } {
  const [first] = problems.keys();
  if (first !== undefined) {
    const op = first.domain === '' ? first.op : `${first.domain}.${first.op}`;
    return { verdict: 'black-box only', reason: `${op}: ${problems.get(first)}` };
  }
  if (!flows) return { verdict: 'black-box only', reason: 'no gradient reaches it' };
  const estimate = passed.find((node) => ESTIMATES.has(node.op));
  return estimate === undefined
    ? { verdict: 'white-box' }
    : { verdict: 'white-box with estimation', reason: `${estimate.op} passes gradients straight through` };
}

function counted(nodes: readonly InspectedNode[]): Inspection['operators'] {
  const rows = new Map<string, Inspection['operators'][number]>();
  for (const { node, treatment, reason } of nodes) {
    const shown = treatment === 'missing' ? reason : treatment === 'rule' ? undefined : reason;
    const key = JSON.stringify([node.op, node.domain, treatment, shown]);
    const row = rows.get(key);
    rows.set(key, {
      op: node.op,
      domain: node.domain,
      treatment,
      count: (row?.count ?? 0) + 1,
      ...(shown === undefined ? {} : { reason: shown }),
    });
  }
  return [...rows.values()].sort(
    (a, b) =>
      TREATMENTS.indexOf(a.treatment) - TREATMENTS.indexOf(b.treatment) || (a.op < b.op ? -1 : a.op > b.op ? 1 : 0),
  );
}
