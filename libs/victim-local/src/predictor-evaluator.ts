import { elementCount } from '@faultline/contracts';
import { type Graph, modelOf } from '@faultline/onnx';
import { float32Data, OrtTensor, Session, type SessionOptions } from '@faultline/ort';
import type { Victim } from '@faultline/victim';
import { Assembly } from './assembly.ts';
import { type InnerPrograms, Surroundings } from './compose-evaluation.ts';
import type { CleanValue, Evaluator, ResultMemory, Slots } from './evaluator.ts';
import { feedsFor } from './feeds.ts';
import type { EvaluationSetting } from './setting.ts';

/** All that a black-box attack may ask of a victim: answers. */
export type Predictor = Pick<Victim, 'predict'>;

/** Evaluates in front of a predictor of which nothing is known but its answers: transform here, prediction there, objective here. */
export class PredictorEvaluator implements Evaluator, AsyncDisposable {
  readonly differentiates = false;
  readonly reads: ReadonlySet<string>;
  readonly #predictor: Predictor;
  readonly #before: Session | undefined;
  readonly #after: Session;
  /** By input of the victim, the value that it is given. */
  readonly #given: ReadonlyMap<string, string>;
  readonly #setting: EvaluationSetting;
  readonly #flatLogits: string;

  private constructor(
    predictor: Predictor,
    setting: EvaluationSetting,
    parts: { before: Session | undefined; after: Session; given: ReadonlyMap<string, string>; flatLogits: string },
  ) {
    this.#predictor = predictor;
    this.#setting = setting;
    this.#before = parts.before;
    this.#after = parts.after;
    this.#given = parts.given;
    this.#flatLogits = parts.flatLogits;
    const made = new Set([...(parts.before?.outputNames ?? []), parts.flatLogits]);
    const read = [...(parts.before?.inputNames ?? []), ...parts.after.inputNames, ...parts.given.values()];
    this.reads = new Set(read.filter((name) => !made.has(name)));
  }

  /** Loads the parts. @throws RangeError for a shared variable that no transform applies */
  static async create(
    predictor: Predictor,
    setting: EvaluationSetting,
    programs: InnerPrograms,
    options: SessionOptions,
  ): Promise<PredictorEvaluator> {
    const around = new Surroundings(setting, programs);
    const before = new Assembly();
    around.addPoints(before);
    const given = new Map(
      Array.from(setting.inputs, ([name, dims]) => [name, around.addGiven(before, name, 1, dims)] as const),
    );
    const after = new Assembly();
    // The objective reads points too, and their repetition is made on its own side of the victim.
    around.addPoints(after);
    around.addObjective(after);
    const made = [...given.values()].filter((name) => before.makes(name));
    const load = (graph: Graph) => Session.create(modelOf(graph), options);
    return new PredictorEvaluator(predictor, setting, {
      before: made.length === 0 ? undefined : await load(before.joined(made)),
      after: await load(after.joined(['loss', 'logits'])),
      given,
      flatLogits: around.flatLogits,
    });
  }

  /** Nothing is known of the victim, so that nothing can be computed ahead. */
  prepare(): Promise<readonly CleanValue[]> {
    return Promise.resolve([]);
  }

  async evaluate(kind: 'gradient' | 'forward', slots: Slots, memory: ResultMemory): Promise<Slots> {
    if (kind === 'gradient') throw new RangeError('a predictor gives no gradients; open the loop in mode evaluate');
    const values = new Map(slots);
    if (this.#before !== undefined) {
      const made = await this.#before.run(feedsFor(this.#before, values));
      for (const [name, tensor] of Object.entries(made)) values.set(name, tensor);
    }
    const inputs = Array.from(this.#given, ([name, value]) => {
      const tensor = values.get(value);
      if (tensor === undefined) throw new RangeError(`slot '${value}' is read by the victim but was not provided`);
      return [name, { dims: tensor.dims, data: float32Data(tensor) }] as const;
    });
    const { logits } = await this.#predictor.predict(new Map(inputs));
    const evaluations = inputs[0]?.[1].dims[0] ?? 0;
    const expected = [evaluations, this.#setting.labels];
    if (logits.dims.join() !== expected.join() || logits.data.length !== elementCount(expected))
      throw new RangeError(
        `the victim answered logits [${logits.dims.join(', ')}] where [${expected.join(', ')}] were due`,
      );
    values.set(this.#flatLogits, new OrtTensor('float32', logits.data, logits.dims));
    const outputs = Object.fromEntries(this.#after.outputNames.map((name) => [name, memory(name)]));
    const made = await this.#after.run(feedsFor(this.#after, values), outputs);
    const results = new Map(Object.entries(made).map(([name, tensor]) => [name, outputs[name] ?? tensor]));
    if (!results.has('logits')) results.set('logits', new OrtTensor('float32', logits.data, logits.dims));
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#before?.[Symbol.asyncDispose]();
    await this.#after[Symbol.asyncDispose]();
  }
}
