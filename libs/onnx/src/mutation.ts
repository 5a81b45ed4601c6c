import type { Attribute, Model, Node } from './model.ts';
import { int64 } from './tensor.ts';

/** Numbers in [0, 1) from a seed (mulberry32): a failing mutation can be made again. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Bytes that mean much to a protobuf: ends of numbers, large lengths, tags. */
const TELLING = [0x00, 0x01, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x3a];

/** A file damaged a little, as transfer, disks and people damage files: bytes changed, cut out, doubled, or the end gone. */
export function mutated(bytes: Uint8Array, seed: number): Uint8Array {
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  let current = Uint8Array.from(bytes);
  // Bytes cut out or put in break the lengths that hold the file together: most files keep their length.
  const kinds = random() < 0.3 ? 6 : 3;
  for (let change = 1 + below(4); change > 0; change--) {
    const at = below(current.length);
    const length = 1 + below(16);
    const head = current.subarray(0, at);
    switch (below(kinds)) {
      case 0:
        current[at] = below(256);
        break;
      case 1:
        current[at] = TELLING[below(TELLING.length)] ?? 0;
        break;
      case 2:
        current[at] = (current[at] ?? 0) ^ (1 << below(8));
        break;
      case 3:
        current = Uint8Array.from([...head, ...current.subarray(at + length)]);
        break;
      case 4:
        current = Uint8Array.from([...head, ...current.subarray(at, at + length), ...current.subarray(at)]);
        break;
      default:
        if (random() < 0.2) current = Uint8Array.from(head);
        else current = Uint8Array.from([...head, ...Array.from({ length }, () => below(256)), ...current.subarray(at)]);
    }
    if (current.length === 0) return current;
  }
  return current;
}

/** Numbers that sizes, axes and counts must not be. */
const EXTREMES = [0, -1, 1, 7, -(2 ** 31), 2 ** 31, 2 ** 40, Number.MAX_SAFE_INTEGER];

/** A model with one or more of its parts wrong: nodes dropped, doubled, out of order, misread; absurd attributes and constants. */
export function mutatedModel(model: Model, seed: number): Model {
  const random = seeded(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  const extreme = () => EXTREMES[below(EXTREMES.length)] ?? 0;
  const nodes = [...model.graph.nodes];
  const initializers = new Map(model.graph.initializers);
  const names = [...initializers.keys(), ...nodes.flatMap(({ outputs }) => outputs)];
  const absurd = (attribute: Attribute): Attribute => {
    if (attribute.type === 'int') return { type: 'int', value: extreme() };
    if (attribute.type === 'ints')
      return { type: 'ints', value: attribute.value.map((value) => (random() < 0.5 ? extreme() : value)) };
    return attribute.type === 'float' ? { type: 'string', value: 'x' } : { type: 'int', value: extreme() };
  };
  for (let change = 1 + below(3); change > 0; change--) {
    const at = below(nodes.length);
    const node: Node | undefined = nodes[at];
    if (node === undefined || node.inputs.length === 0) continue;
    const name = names[below(names.length)] ?? '';
    const [key] = Object.keys(node.attributes);
    switch (below(7)) {
      case 0:
        nodes.splice(at, 1);
        break;
      case 1:
        nodes.splice(below(nodes.length), 0, node);
        break;
      case 2:
        nodes.reverse();
        break;
      case 3:
        nodes[at] = { ...node, inputs: node.inputs.with(below(node.inputs.length), name) };
        break;
      case 4:
        nodes[at] = { ...node, op: nodes[below(nodes.length)]?.op ?? 'Neg' };
        break;
      case 5:
        if (key !== undefined)
          nodes[at] = {
            ...node,
            attributes: { ...node.attributes, [key]: absurd(node.attributes[key] ?? { type: 'int', value: 0 }) },
          };
        break;
      default: {
        const held = initializers.get(name);
        if (held?.dataType === 'int64')
          initializers.set(name, int64(Array.from({ length: held.data.length }, extreme), held.dims));
      }
    }
  }
  return { ...model, graph: { ...model.graph, nodes, initializers } };
}
