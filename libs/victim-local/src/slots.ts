import type { Dimension } from '@faultline/onnx';
import { type EvaluationSetting, variableDims } from './setting.ts';

/** What a program is for; decides which slots it may read and write, and their shapes. */
export type ProgramRole = 'transform' | 'objective' | 'step' | 'init';

/** The symbol of the axis that counts examples. */
export const EXAMPLES = 'examples';

const EVERYWHERE = 'x|x0|noise|param|state|const|data';

/** The table of docs/programs.md, by role. */
const READS: Record<ProgramRole, RegExp> = {
  transform: new RegExp(`^(targets|(${EVERYWHERE})/.+)$`),
  objective: new RegExp(`^(targets|logits|(${EVERYWHERE}|tap0|tap)/.+)$`),
  step: new RegExp(`^(targets|logits|loss|(${EVERYWHERE}|tap0|tap|grad)/.+)$`),
  init: new RegExp(`^(targets|(${EVERYWHERE}|tap0)/.+)$`),
};

const WRITES: Record<ProgramRole, RegExp> = {
  transform: /^seen\/.+$/,
  objective: /^loss$/,
  step: /^(next\/.+|outcome\/.+)$/,
  init: /^next\/.+$/,
};

export const mayRead = (role: ProgramRole, slot: string): boolean => READS[role].test(slot);
export const mayWrite = (role: ProgramRole, slot: string): boolean => WRITES[role].test(slot);

/** A slot's family and the name within it: 'state/best/waveform' is ['state', 'best/waveform']. */
export function splitSlot(slot: string): readonly [family: string, name: string] {
  const at = slot.indexOf('/');
  return at < 0 ? [slot, ''] : [slot.slice(0, at), slot.slice(at + 1)];
}

/** A slot that a program declares in a way the protocol does not know. */
export class SlotError extends Error {
  override name = 'SlotError';
}

const listed = (names: Iterable<string>) => [...names].join(', ') || 'none';

/**
 * The shape of a slot as a program of this role meets it; the first axis is EXAMPLES unless it is shared.
 * @param declared the axes that the program declares: they decide for parameters, states, constants and data
 * @throws SlotError
 */
export function slotDims(
  setting: EvaluationSetting,
  role: ProgramRole,
  slot: string,
  declared: readonly Dimension[] | undefined,
): readonly Dimension[] {
  const { variables, samples, labels, taps, inputs, noise, mode } = setting;
  const [family, name] = splitSlot(slot);
  const inside = role === 'transform' || role === 'objective';
  const sampled = samples === undefined ? [] : [samples.count];
  /** The sample axis of what is evaluated: everything but init meets it. */
  const evaluated = role === 'init' ? [] : sampled;
  const repeated = inside ? sampled : [];
  const variable = variables.find((one) => one.name === name);
  switch (family) {
    case 'targets':
      return [EXAMPLES, labels];
    case 'logits':
      return [EXAMPLES, ...evaluated, labels];
    case 'loss':
      return [EXAMPLES, ...evaluated];
    case 'x':
    case 'next': {
      if (slot.startsWith('next/state/')) return stateDims(slot, declared);
      if (variable === undefined)
        throw new SlotError(`'${slot}': the variables are ${listed(variables.map((one) => one.name))}`);
      return [variable.scope === 'shared' ? 1 : EXAMPLES, ...repeated, ...variableDims(setting, name)];
    }
    case 'grad': {
      if (variable === undefined)
        throw new SlotError(`'${slot}': the variables are ${listed(variables.map((one) => one.name))}`);
      if (mode === 'evaluate')
        throw new SlotError(`'${slot}': this loop is in mode evaluate and computes no gradients`);
      const each = samples?.gradient === 'each' ? sampled : [];
      return [variable.scope === 'shared' ? 1 : EXAMPLES, ...each, ...variableDims(setting, name)];
    }
    case 'x0': {
      const dims = inputs.get(name) ?? (variable === undefined ? undefined : taps.get(name));
      if (dims === undefined) throw new SlotError(`'${slot}': inputs and variables are ${listed(inputs.keys())}`);
      return [EXAMPLES, ...repeated, ...dims];
    }
    case 'seen': {
      if (variable === undefined && !inputs.has(name))
        throw new SlotError(`'${slot}': inputs and variables are ${listed(inputs.keys())}`);
      return [EXAMPLES, ...repeated, ...variableDims(setting, name)];
    }
    case 'tap':
    case 'tap0': {
      const dims = taps.get(name);
      if (dims === undefined) throw new SlotError(`'${slot}': the victim's taps are ${listed(taps.keys())}`);
      return [EXAMPLES, ...(family === 'tap' ? evaluated : []), ...dims];
    }
    case 'noise': {
      const found = noise.find((one) => one.name === name);
      if (found === undefined)
        throw new SlotError(
          `'${slot}': declare it with the loop; declared are ${listed(noise.map((one) => one.name))}`,
        );
      return [EXAMPLES, ...evaluated, ...found.dims];
    }
    case 'param':
    case 'outcome':
      return [declared?.[0] === 1 && declared.length === 1 ? 1 : EXAMPLES];
    case 'state':
      return stateDims(slot, declared);
    case 'data':
      return [EXAMPLES, ...fixedDims(slot, declared?.slice(1))];
    case 'const':
      return fixedDims(slot, declared);
    default:
      throw new SlotError(`'${slot}' is no slot`);
  }
}

const stateDims = (slot: string, declared: readonly Dimension[] | undefined): readonly Dimension[] => [
  declared?.[0] === 1 ? 1 : EXAMPLES,
  ...fixedDims(slot, declared?.slice(1)),
];

function fixedDims(slot: string, declared: readonly Dimension[] | undefined): number[] {
  const dims = declared?.filter((size) => typeof size === 'number') ?? [];
  if (declared === undefined || dims.length !== declared.length)
    throw new SlotError(`'${slot}' must be declared with fixed sizes on every axis but that of the examples`);
  return dims;
}
