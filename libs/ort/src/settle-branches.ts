import { type Graph, inlineBranches, type ValueType } from '@faultline/onnx';
import { dryRun, halves, type InputMaker } from './dry-run.ts';

/** Rounds of running and inlining: a branch may hold branches whose conditions show once it runs. */
const MOST_ROUNDS = 16;

/**
 * Takes every branch whose condition follows from sizes, however deep, and learns the types of all values.
 * @throws OnnxError as `dryRun`
 */
export async function settleBranches(
  graph: Graph,
  makeInput: InputMaker = halves,
): Promise<{ readonly graph: Graph; readonly types: ReadonlyMap<string, ValueType> }> {
  let current = graph;
  let types = await dryRun(current, makeInput);
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const next = inlineBranches(current, types);
    if (next === current) break;
    current = next;
    types = await dryRun(current, makeInput);
  }
  return { graph: current, types };
}
