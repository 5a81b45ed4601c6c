import { float32Data, OrtTensor, type Session } from '@faultline/ort';
import type { CleanValue, Evaluator, ResultMemory, Slots } from './evaluator.ts';
import { feedsFor, runChecked } from './feeds.ts';

/** Sessions of one composed evaluation. */
export interface EvaluationSessions {
  /** (x0/I by clip) -> x0/T, tap0/T; undefined where no tap is wanted. */
  readonly clean: Session | undefined;
  /** (x0/I by clip) -> frontier; undefined when nothing can be computed ahead. */
  readonly ahead: Session | undefined;
  /** Values that `ahead` hands to the two below, with the rows that each example has. */
  readonly frontier: readonly { readonly name: string; readonly rows: number }[];
  /**
   * (x/V, frontier, targets, ...) -> loss, logits, tap/T, grad/V; undefined in mode evaluate. Gradients may come in another shape than
   * `gradientDims`, with the elements in the same order.
   */
  readonly gradient: Session | undefined;
  /** Shapes of gradients by slot: those of what they are gradients of. */
  readonly gradientDims: ReadonlyMap<string, OpenDims>;
  /** (x/V, frontier, targets, ...) -> loss, logits, tap/T. */
  readonly evaluation: Session;
  /** Estimated bytes of all of them. */
  readonly bytes: number;
}

/** Evaluates by one graph of transform, victim, objective and gradient. */
export class CompiledEvaluator implements Evaluator, AsyncDisposable {
  readonly #sessions: EvaluationSessions;
  readonly reads: ReadonlySet<string>;

  constructor(sessions: EvaluationSessions) {
    this.#sessions = sessions;
    this.reads = new Set([...(sessions.gradient?.inputNames ?? []), ...sessions.evaluation.inputNames]);
  }

  get differentiates(): boolean {
    return this.#sessions.gradient !== undefined;
  }

  get bytes(): number {
    return this.#sessions.bytes;
  }

  async prepare(clean: Slots): Promise<readonly CleanValue[]> {
    const values: CleanValue[] = [];
    const { clean: reader, ahead, frontier } = this.#sessions;
    if (reader !== undefined) {
      const found = await reader.run(feedsFor(reader, clean));
      for (const [name, value] of Object.entries(found)) values.push({ name, value, rows: 1 });
    }
    if (ahead !== undefined) {
      const computed = await ahead.run(feedsFor(ahead, clean));
      for (const { name, rows } of frontier) {
        const value = computed[name];
        if (value === undefined) throw new RangeError(`frontier value '${name}' was not computed`);
        values.push({ name, value, rows });
      }
    }
    return values;
  }

  async evaluate(kind: 'gradient' | 'forward', slots: Slots, memory: ResultMemory): Promise<Slots> {
    const session = kind === 'gradient' ? this.#sessions.gradient : this.#sessions.evaluation;
    if (session === undefined) throw new RangeError('this loop is in mode evaluate and computes no gradients');
    const given = new Map(session.outputNames.map((name) => [name, memory(name)]));
    // Where the graph's shape of a gradient shows only when it is made, the runtime takes memory of its own.
    const outputs = Object.fromEntries(
      session.outputTypes.map(({ name, dims }) => {
        const tensor = given.get(name) ?? undefined;
        return [name, (tensor && inShape(tensor, dims)) ?? null];
      }),
    );
    const made = await runChecked('objective', () => session.run(feedsFor(session, slots), outputs));
    return new Map(
      Object.entries(made).map(([name, tensor]) => {
        const dims = this.#sessions.gradientDims.get(name);
        const written = outputs[name] === null ? undefined : given.get(name);
        return [name, written ?? (dims && inShape(tensor, dims)) ?? tensor];
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { clean, ahead, gradient, evaluation } = this.#sessions;
    for (const session of [clean, ahead, gradient, evaluation]) await session?.[Symbol.asyncDispose]();
  }
}

/** Sizes of axes, undefined where the number of examples decides. */
export type OpenDims = readonly (number | undefined)[];

/** The same elements in another shape; undefined where that is not known: several axes are open, or the runtime could not tell its rank. */
function inShape(tensor: OrtTensor, dims: OpenDims): OrtTensor | undefined {
  const fixed = dims.reduce<number>((product, size = 1) => product * size, 1);
  const open = dims.filter((size) => size === undefined).length;
  if (open > 1 || (open === 0 && fixed !== tensor.size)) return undefined;
  const sizes = dims.map((size) => size ?? tensor.size / fixed);
  return new OrtTensor('float32', float32Data(tensor), sizes);
}
