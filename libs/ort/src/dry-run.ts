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

/** Loads a graph, unoptimised, and runs it once. */
const run: RunGraph = async (graph, inputs) => {
  await using session = await Session.create(modelOf(graph), { optimization: 'disabled' });
  const feeds = Object.fromEntries([...inputs].map(([name, tensor]) => [name, toOrt(tensor)]));
  const results = await session.run(feeds);
  return new Map(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
};

/**
 * Learns the type and shape of every value of a graph by running it at two batch sizes with all inner values as outputs.
 * Every symbolic axis of an input is taken for the batch, but for those that `axes` names with two sizes of their own.
 * @throws OnnxError when an axis is neither fixed nor follows the batch or such an axis, or a value would be too large.
 */
export const dryRun = (
  graph: Graph,
  makeInput: InputMaker = halves,
  axes: DryRunOptions['axes'] = {},
): Promise<ReadonlyMap<string, ValueType>> => learnTypes(graph, run, { makeInput, axes });
