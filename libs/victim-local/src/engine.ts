import { differentiate } from '@faultline/autodiff';
import type { victim } from '@faultline/contracts';
import { type Graph, isBatchAxis, type Model, modelOf, prune, renameValues, type ValueType } from '@faultline/onnx';
import { Session, type SessionOptions } from '@faultline/ort';
import { CompiledEvaluator, type OpenDims } from './compiled-evaluator.ts';
import { composeClean } from './compose-clean.ts';
import { composeEvaluation } from './compose-evaluation.ts';
import { runChecked } from './feeds.ts';
import { type Computation, FusedProgram } from './fused/fused-program.ts';
import { withoutLastReshapes } from './last-reshapes.ts';
import { evaluateAhead, rowsPerExample } from './partial-evaluation.ts';
import type { ShapedProgram } from './program-shape.ts';
import type { EvaluationSetting } from './setting.ts';
import { splitSlot } from './slots.ts';
import { analyse, untyped, type VictimGraph, victimGraph } from './victim-graph.ts';

/** A session and what it holds. */
export interface Loaded extends AsyncDisposable {
  readonly session: Session;
  /** Estimated bytes while it is kept. */
  readonly bytes: number;
}

/** A step or init program, and what it holds. */
export interface LoadedProgram extends AsyncDisposable {
  readonly computation: Computation;
  /** Estimated bytes while it is kept. */
  readonly bytes: number;
}

/** The programs whose needs decide what an evaluation makes. */
export interface EvaluationPrograms {
  readonly transform: ShapedProgram | undefined;
  readonly objective: ShapedProgram;
  readonly step: ShapedProgram | undefined;
  readonly init: ShapedProgram | undefined;
}

/** Bytes of a graph's weights; a session keeps a copy of its own. */
export function weightBytes({ initializers }: Graph): number {
  return [...initializers.values()].reduce(
    (sum, { data }) => sum + ('byteLength' in data ? data.byteLength : data.length),
    0,
  );
}

/** Bytes of a node in a session, kernel and bookkeeping: measured on the reference victims, about 3 kB. */
const NODE_BYTES = 4096;

const sessionBytes = (graph: Graph) => weightBytes(graph) + graph.nodes.length * NODE_BYTES;

const openDims = (dims: ValueType['dims']): OpenDims => dims.map((size) => (isBatchAxis(size) ? undefined : size));

/** Slots of a family that a program reads, by their names. */
const readBy = (family: string, ...programs: readonly (ShapedProgram | undefined)[]): string[] =>
  programs.flatMap((program) =>
    (program?.graph.inputs ?? [])
      .map(({ name }) => splitSlot(name))
      .flatMap(([of, name]) => (of === family ? [name] : [])),
  );

/** The victim's graph, ready to be composed with programs. */
export class Engine {
  readonly #graph: Graph;
  readonly #logits: string;
  readonly #taps: readonly victim.Tap[];
  readonly #options: SessionOptions;
  #analysis: Promise<VictimGraph> | undefined;

  /** @throws OnnxError when the model does not hang together, does not make the logits or is written in an operator set out of reach. */
  constructor(model: Model, logits: string, options: SessionOptions, taps: readonly victim.Tap[] = []) {
    this.#graph = victimGraph(model, logits, taps);
    this.#logits = logits;
    this.#taps = taps;
    this.#options = options;
  }

  /** Names of the victim's inputs. */
  get inputs(): readonly string[] {
    return this.#graph.inputs.map(({ name }) => name);
  }

  /** What a dry run tells of the victim; it is run once, when it is first needed. @throws OnnxError for a victim whose sizes do not follow the batch. */
  analysis(): Promise<VictimGraph> {
    this.#analysis ??= analyse(this.#graph, this.#logits, this.#taps);
    return this.#analysis;
  }

  /** Loads the plain victim: (x0/I) -> logits. */
  async predictor(): Promise<Loaded> {
    const inputs = new Set(this.inputs);
    const renamed = renameValues(this.#graph, (name) => {
      if (name === this.#logits) return 'logits';
      return inputs.has(name) ? `x0/${name}` : `victim/${name}`;
    });
    return this.#loaded(prune({ ...renamed, outputs: [untyped('logits')] }));
  }

  /** Loads the victim with taps: (x0/I, x/T of `given`) -> logits, tap0/T of `names`. */
  async tapReader(names: readonly string[], given: readonly string[]): Promise<Loaded> {
    const wanted = new Map(names.map((name) => [`tap0/${name}`, name]));
    return this.#loaded(composeClean(await this.analysis(), wanted, { further: ['logits'], given }));
  }

  /**
   * Composes, differentiates and loads an evaluation.
   * @throws OnnxError when the parts do not fit, MissingRuleError when a gradient has to pass an operator without a rule, RangeError for
   * variables that cannot be attacked together.
   */
  async compile(setting: EvaluationSetting, programs: EvaluationPrograms): Promise<CompiledEvaluator> {
    const { transform, objective, step, init } = programs;
    const analysis = await this.analysis();
    const stepTaps = [...new Set(readBy('tap', step))];
    const composed = composeEvaluation(analysis, setting, { transform, objective, stepTaps });
    const graph =
      setting.mode === 'differentiate'
        ? withGradients({ ...composed, straightThrough: setting.straightThrough })
        : composed.graph;
    const attacked = new Set(setting.variables.map(({ name }) => name));
    const fixed = new Set(this.inputs.filter((name) => !attacked.has(name)).map((name) => `x0/${name}`));
    const { ahead, rest, frontier } = evaluateAhead(graph, fixed, composed.types);
    const forwardOutputs = rest.outputs.filter(({ name }) => !name.startsWith('grad/') && name !== 'total');
    const forward = prune({ ...rest, outputs: forwardOutputs });
    const gradient =
      setting.mode === 'differentiate'
        ? withoutLastReshapes(
            prune({ ...rest, outputs: rest.outputs.filter(({ name }) => name !== 'total') }),
            new Set(composed.wrt.keys()),
          )
        : undefined;
    const wanted = new Map([
      ...setting.variables
        .filter(({ name }) => !setting.inputs.has(name))
        .map(({ name }) => [`x0/${name}`, name] as const),
      ...readBy('tap0', transform, objective, step, init).map((name) => [`tap0/${name}`, name] as const),
    ]);
    const clean = wanted.size === 0 ? undefined : composeClean(analysis, wanted);
    const graphs = [clean, ahead, gradient, forward];
    const sessions = await runChecked('objective', () =>
      Promise.all(graphs.map((one) => one && Session.create(modelOf(one), this.#options))),
    );
    const evaluation = sessions[3];
    if (evaluation === undefined) throw new RangeError('an evaluation has no graph');
    return new CompiledEvaluator({
      clean: sessions[0],
      ahead: sessions[1],
      gradient: sessions[2],
      gradientDims: new Map(
        Array.from(composed.wrt, ([slot, value]) => [slot, openDims(composed.types.get(value)?.dims ?? [])]),
      ),
      evaluation,
      frontier: frontier.map((name) => ({ name, rows: rowsPerExample(composed.types.get(name)) ?? 1 })),
      bytes: graphs.reduce((sum, one) => sum + (one === undefined ? 0 : sessionBytes(one)), 0),
    });
  }

  /** Loads a step or init program. */
  load({ program, graph, types }: ShapedProgram): Promise<LoadedProgram> {
    return runChecked(program.role, async () => {
      const computation = await FusedProgram.load(graph, types, this.#options);
      return {
        computation,
        bytes: sessionBytes(graph),
        [Symbol.asyncDispose]: () => computation[Symbol.asyncDispose](),
      };
    });
  }

  async #loaded(graph: Graph): Promise<Loaded> {
    const session = await Session.create(modelOf(graph), this.#options);
    return { session, bytes: sessionBytes(graph), [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() };
  }
}

function withGradients({
  graph,
  types,
  output,
  wrt,
  straightThrough,
}: {
  readonly graph: Graph;
  readonly types: ReadonlyMap<string, ValueType>;
  readonly output: string;
  readonly wrt: ReadonlyMap<string, string>;
  readonly straightThrough: boolean;
}): Graph {
  const slots = new Map(Array.from(wrt, ([slot, value]) => [value, slot]));
  return differentiate({
    graph,
    types,
    output,
    wrt: [...wrt.values()],
    gradName: (name) => slots.get(name) ?? `grad/${name}`,
    straightThrough,
  });
}
