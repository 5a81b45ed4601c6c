import type { Dimension } from '@faultline/onnx';
import { ProgramError } from './program.ts';
import { type ShapedProgram, symbolic } from './program-shape.ts';
import { splitSlot } from './slots.ts';

/** Axis sizes of each state as programs declare or write it; the first is 1 where the state is shared. */
export function stateShapes(programs: readonly ShapedProgram[]): Map<string, readonly Dimension[]> {
  const found = new Map<string, readonly Dimension[]>();
  for (const { program, graph, types } of programs) {
    const declare = (name: string, dims: readonly Dimension[]) => {
      const other = found.get(name);
      if (other !== undefined && other.join() !== dims.join()) {
        throw new ProgramError(
          program.role,
          `state '${name}' is [${dims.join(', ')}] here and [${other.join(', ')}] elsewhere`,
        );
      }
      found.set(name, dims);
    };
    for (const { name, dims = [] } of graph.inputs) {
      const [family, state] = splitSlot(name);
      if (family === 'state') declare(state, dims);
    }
    for (const { name } of graph.outputs) {
      if (name.startsWith('next/state/'))
        declare(name.slice('next/state/'.length), symbolic(types.get(name)?.dims ?? []));
    }
  }
  return found;
}
