import { OrtTensor } from '@faultline/ort';
import type { Parameters, Tensors } from '@faultline/victim';
import { ProgramError } from './program.ts';
import type { ShapedProgram } from './program-shape.ts';
import { toOrt } from './resident.ts';
import { toFloatRows } from './rows.ts';
import { splitSlot } from './slots.ts';

/** Names of parameters that programs declare [1]: they have one value for all examples. @throws ProgramError where programs disagree */
export function sharedParameters(programs: readonly ShapedProgram[]): Set<string> {
  const shared = new Map<string, boolean>();
  for (const { program, graph } of programs) {
    for (const { name: slot, dims } of graph.inputs) {
      const [family, name] = splitSlot(slot);
      if (family !== 'param') continue;
      const one = dims?.[0] === 1;
      if ((shared.get(name) ?? one) !== one)
        throw new ProgramError(program.role, `'${slot}' is one value here and one for each example in another program`);
      shared.set(name, one);
    }
  }
  return new Set([...shared].flatMap(([name, one]) => (one ? [name] : [])));
}

/**
 * The parameters of a step as slots: param/P [examples], or [1].
 * @param step row of those that are given for each step
 * @throws RangeError for a number of values that is neither
 */
export function parameterSlots(
  parameters: Parameters,
  examples: number,
  shared: ReadonlySet<string>,
  step: number,
): Map<string, OrtTensor> {
  const slots = new Map<string, OrtTensor>();
  for (const [name, values] of Object.entries(parameters)) {
    const count = shared.has(name) ? 1 : examples;
    const row = values.length === count ? values : values.subarray(step * count, (step + 1) * count);
    if (row.length !== count) {
      const each = shared.has(name) ? 'one for all examples' : `one for each of ${examples} examples`;
      throw new RangeError(`parameter '${name}' has ${values.length} values; give ${each}, or that many for each step`);
    }
    slots.set(`param/${name}`, new OrtTensor('float32', row, [count]));
  }
  return slots;
}

/** Constants as slots: const/C, as uploaded. */
export const constantSlots = (constants: Tensors | undefined): Map<string, OrtTensor> =>
  new Map(
    Array.from(constants ?? [], ([name, tensor]) => [`const/${name}`, toOrt(toFloatRows(`const/${name}`, tensor))]),
  );
