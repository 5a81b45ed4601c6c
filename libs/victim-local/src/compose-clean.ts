import { type Graph, GraphBuilder, joinGraphs, OnnxError, prune, renameValues } from '@faultline/onnx';
import { dimsOfTap, untyped, type VictimGraph } from './victim-graph.ts';

/**
 * (x0/I by clip) -> clean values of taps, [clips, ...].
 * @param wanted the tap behind each output: `x0/T` of taps that are variables, `tap0/T` of those that are read
 * @param further outputs beside them: 'logits', or nothing
 */
export function composeClean(
  victim: VictimGraph,
  wanted: ReadonlyMap<string, string>,
  further: readonly 'logits'[] = [],
): Graph {
  const inner = (name: string) => {
    if (name === victim.logits) return 'logits';
    return victim.shapes.inputs.has(name) ? `x0/${name}` : `victim/${name}`;
  };
  const b = new GraphBuilder({ prefix: 'clean/' });
  for (const [slot, name] of wanted) {
    const tap = victim.taps.get(name);
    if (tap === undefined) throw new OnnxError(`the victim has no tap '${name}'`);
    b.output(b.reshape(inner(tap.value), [-1, ...dimsOfTap(tap)]), undefined, 'unknown', slot);
  }
  const outputs = [...wanted.keys(), ...further].map(untyped);
  return prune(joinGraphs([renameValues(victim.graph, inner), b.graph()], outputs));
}
