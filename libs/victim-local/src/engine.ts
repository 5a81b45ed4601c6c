import { differentiate } from '@faultline/autodiff';
import {
  checkGraph,
  type Graph,
  inlineBranches,
  joinGraphs,
  type Model,
  modelOf,
  OnnxError,
  prune,
  renameValues,
  standardModel,
  type ValueInfo,
  valueNames,
} from '@faultline/onnx';
import { dryRun, Session, type SessionOptions } from '@faultline/ort';
import { evaluateAhead, rowsPerExample } from './partial-evaluation.ts';
import type { Program } from './program.ts';

/** An objective composed with the victim, differentiated, and loaded. */
export interface CompiledObjective extends AsyncDisposable {
  /** (fixed x/V by clip) -> frontier; undefined when nothing can be computed ahead. */
  readonly ahead: Session | undefined;
  /** Values that `ahead` hands to the two below, with the rows that each example has. */
  readonly frontier: readonly { readonly name: string; readonly rows: number }[];
  /** (x/V, frontier, targets, ...) -> loss, logits, grad/V. */
  readonly gradient: Session;
  /** (x/V, frontier, targets, ...) -> loss, logits. */
  readonly evaluation: Session;
}

const output = (name: string): ValueInfo => ({ name, dataType: 'unknown', dims: undefined });

/** Puts a victim's graph into slots: its inputs become x/V, its logits `logits`, everything inside `victim/...`. */
function slotted(graph: Graph, logits: string): Graph {
  const inputs = new Set(graph.inputs.map((input) => input.name));
  const renamed = renameValues(graph, (name) => {
    if (name === logits) return 'logits';
    return inputs.has(name) ? `x/${name}` : `victim/${name}`;
  });
  return prune({ ...renamed, outputs: [output('logits')] }, new Set(renamed.inputs.map((input) => input.name)));
}

/** A program's graph with its inner values named apart from the victim's. */
function apart(program: Program): Graph {
  const border = new Set([...program.graph.inputs, ...program.graph.outputs].map((value) => value.name));
  return renameValues(program.graph, (name) => (border.has(name) ? name : `${program.role}/${name}`));
}

/** The victim's graph, ready to be composed with objectives. */
export class Engine {
  readonly #graph: Graph;
  readonly #options: SessionOptions;
  /** Names of the victim's inputs. */
  readonly inputs: readonly string[];

  /** @throws OnnxError when the model does not hang together, does not make the logits or is written in an operator set out of reach. */
  constructor(model: Model, logits: string, options: SessionOptions) {
    checkGraph(model.graph);
    if (!valueNames(model.graph).has(logits))
      throw new OnnxError(`the model makes no value '${logits}': correct the card's field 'logits'`);
    this.inputs = model.graph.inputs.map((input) => input.name);
    const standard = standardModel(model);
    // Branches taken may show sizes that were hidden before.
    checkGraph(standard.graph);
    this.#graph = slotted(standard.graph, logits);
    this.#options = options;
  }

  /** Loads the plain victim: (x/V) -> logits. */
  predictor(): Promise<Session> {
    return Session.create(modelOf(this.#graph), this.#options);
  }

  /**
   * Composes, differentiates and loads an objective.
   * @throws OnnxError when the two do not fit, and MissingRuleError when a gradient has to pass an operator without a rule.
   */
  async compile(objective: Program, variables: readonly string[]): Promise<CompiledObjective> {
    const whole = joinGraphs([this.#graph, apart(objective)], [output('loss'), output('logits')]);
    const learned = await dryRun(whole);
    const joined = inlineBranches(whole, learned);
    const types = joined === whole ? learned : await dryRun(joined);
    const wrt = variables.map((variable) => `x/${variable}`);
    const graph = differentiate({
      graph: joined,
      types,
      output: 'loss',
      wrt,
      gradName: (name) => name.replace(/^x\//, 'grad/'),
    });
    const fixed = new Set(this.inputs.map((input) => `x/${input}`).filter((input) => !wrt.includes(input)));
    const { ahead, rest, frontier } = evaluateAhead(graph, fixed, types);
    const forward = prune({ ...rest, outputs: [output('loss'), output('logits')] });
    const sessions = await Promise.all([
      ahead && Session.create(modelOf(ahead), this.#options),
      Session.create(modelOf(rest), this.#options),
      Session.create(modelOf(forward), this.#options),
    ]);
    return {
      ahead: sessions[0],
      gradient: sessions[1],
      evaluation: sessions[2],
      frontier: frontier.map((name) => ({ name, rows: rowsPerExample(types.get(name)) ?? 1 })),
      async [Symbol.asyncDispose]() {
        for (const session of sessions) await session?.[Symbol.asyncDispose]();
      },
    };
  }

  /** Loads a step or init program. */
  load(program: Program): Promise<Session> {
    return Session.create(modelOf(program.graph, program.opset), this.#options);
  }
}
