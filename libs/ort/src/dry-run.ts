import {
  type DryRunOptions,
  type Graph,
  halves,
  type InputMaker,
  learnTypes,
  modelOf,
  type RunGraph,
  type ValueType,
} from '@faultline/onnx';
import { Session } from './session.ts';
import { fromOrt, toOrt } from './tensors.ts';

export { halves, type InputMaker };

/** Runs graphs unoptimised; the one that came last stays loaded. */
class Runner implements AsyncDisposable {
  #loaded: { readonly graph: Graph; readonly session: Session } | undefined;

  readonly run: RunGraph = async (graph, inputs) => {
    if (this.#loaded?.graph !== graph) {
      await this[Symbol.asyncDispose]();
      this.#loaded = { graph, session: await Session.create(modelOf(graph), { optimization: 'disabled' }) };
    }
    const feeds = Object.fromEntries([...inputs].map(([name, tensor]) => [name, toOrt(tensor)]));
    const results = await this.#loaded.session.run(feeds);
    return new Map(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#loaded?.session[Symbol.asyncDispose]();
    this.#loaded = undefined;
  }
}

/**
 * Learns the type and shape of every value of a graph by running it at two batch sizes with all inner values as outputs.
 * Every symbolic axis of an input is taken for the batch, but for those that `axes` names with two sizes of their own.
 * @throws OnnxError when an axis is neither fixed nor follows the batch or such an axis, or a value would be too large.
 */
export async function dryRun(
  graph: Graph,
  makeInput: InputMaker = halves,
  axes: DryRunOptions['axes'] = {},
): Promise<ReadonlyMap<string, ValueType>> {
  await using runner = new Runner();
  return await learnTypes(graph, runner.run, { makeInput, axes });
}
