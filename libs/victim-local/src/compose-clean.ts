import { type Graph, GraphBuilder, joinGraphs, OnnxError, prune, renameValues } from '@faultline/onnx';
import { cutAt, dimsOfTap, type GraphTap, untyped, type VictimGraph } from './victim-graph.ts';

/** What of a victim without programs is made, beside the taps. */
export interface CleanParts {
  /** Outputs beside the taps. Default: none. */
  readonly further?: readonly 'logits'[];
  /** Taps whose values `x/T` take the place of what the victim computes. Default: none. */
  readonly given?: readonly string[];
}

/**
 * (x0/I by clip, x/T of given taps) -> values of taps, [clips, ...].
 * @param wanted the tap behind each output: `x0/T` of taps that are variables, `tap0/T` of those that are read
 * @throws OnnxError for a tap that the victim has not
 * @throws RangeError where the logits themselves are given
 */
export function composeClean(
  victim: VictimGraph,
  wanted: ReadonlyMap<string, string>,
  { further = [], given = [] }: CleanParts = {},
): Graph {
  const tapOf = (name: string): GraphTap => {
    const tap = victim.taps.get(name);
    if (tap === undefined) throw new OnnxError(`the victim has no tap '${name}'`);
    return tap;
  };
  const before = new GraphBuilder({ prefix: 'given/' });
  const cut = given.map(tapOf);
  const inPlace = new Map<string, string>();
  for (const [index, name] of given.entries()) {
    const tap = cut[index];
    if (tap === undefined) continue;
    if (tap.value === victim.logits)
      throw new RangeError(`tap '${name}' is the logits: nothing follows from its value`);
    const value = before.input(`x/${name}`, ['batch', ...dimsOfTap(tap)]);
    inPlace.set(tap.value, before.reshape(value, [-1, ...tap.rowDims]));
  }
  const inner = (name: string) => {
    if (name === victim.logits) return 'logits';
    return inPlace.get(name) ?? (victim.shapes.inputs.has(name) ? `x0/${name}` : `victim/${name}`);
  };
  const after = new GraphBuilder({ prefix: 'clean/' });
  for (const [slot, name] of wanted) {
    const tap = tapOf(name);
    after.output(after.reshape(inner(tap.value), [-1, ...dimsOfTap(tap)]), undefined, 'unknown', slot);
  }
  const outputs = [...wanted.keys(), ...further].map(untyped);
  const parts = [before.graph(), renameValues(cutAt(victim.graph, cut), inner), after.graph()];
  return prune(joinGraphs(parts, outputs));
}
