import type { victim } from '@faultline/contracts';

/**
 * Of victims that nobody named, those that can be attacked in the same way: which have every input or tap to change, or, where none is
 * named, those that hear. All of them where none qualifies, so that what is wrong is told of them.
 * @param variables as `--variable` has them: "waveform", or "waveform=0.001"
 */
export function attackableVictims(
  cards: ReadonlyMap<string, victim.Card>,
  variables: readonly string[] = [],
): ReadonlyMap<string, victim.Card> {
  const names = variables.map((text) => text.split('=')[0]?.trim());
  const suits = ({ inputs, taps }: victim.Card) =>
    names.length === 0
      ? inputs.some(({ kind }) => kind?.$case === 'waveform')
      : names.every((name) => [...inputs, ...taps].some((one) => one.name === name));
  const suited = new Map([...cards].filter(([, card]) => suits(card)));
  return suited.size === 0 ? cards : suited;
}
