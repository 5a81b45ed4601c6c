import { isDeepStrictEqual } from 'node:util';
import type { victim } from '@faultline/contracts';

/**
 * Of victims that nobody named, those that can be attacked in the same way: which have every input or tap to change, or, where none is
 * named, those that hear; of a transfer also the inputs of its surrogate, which is no victim itself. All of them where none qualifies, so that what is wrong is told of them.
 * @param variables as `--variable` has them: "waveform", or "waveform=0.001"
 */
export function attackableVictims(
  cards: ReadonlyMap<string, victim.Card>,
  variables: readonly string[] = [],
  surrogate?: string,
): ReadonlyMap<string, victim.Card> {
  const names = variables.map((text) => text.split('=')[0]?.trim());
  const crafting = surrogate === undefined ? undefined : cards.get(surrogate);
  const hasInputs = ({ inputs }: victim.Card) =>
    crafting === undefined || isDeepStrictEqual(namesOf(inputs), namesOf(crafting.inputs));
  const suits = ({ inputs, taps }: victim.Card) =>
    names.length === 0
      ? inputs.some(({ kind }) => kind?.$case === 'waveform')
      : names.every((name) => [...inputs, ...taps].some((one) => one.name === name));
  const suited = new Map([...cards].filter(([name, card]) => name !== surrogate && suits(card) && hasInputs(card)));
  return suited.size === 0 ? cards : suited;
}

const namesOf = (inputs: readonly victim.InputSpecification[]) => inputs.map(({ name }) => name).toSorted();
