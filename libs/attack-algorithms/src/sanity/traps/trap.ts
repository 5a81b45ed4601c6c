import type { victim } from '@faultline/contracts';
import type { Graph, GraphBuilder } from '@faultline/onnx';

/** A number in [0, 1) at each call. */
export type Random = () => number;

/** What a trap is built into: a victim's graph of one file, and its card. */
export interface TrapSetting {
  readonly graph: Graph;
  readonly card: victim.Card;
}

/** Two graphs of one function: the gradient of `masked` leads nowhere, that of `revealed` to where the function falls. */
export interface Trap {
  readonly masked: Graph;
  readonly revealed: Graph;
  /** Spread of the masked logits. */
  readonly logitScale: number;
  /** The parameters that were drawn, for people. */
  readonly drawn: string;
}

/** A kind of trap: masks the gradients of any victim, with parameters drawn at random. */
export interface TrapFamily {
  readonly name: string;
  readonly set: (setting: TrapSetting, random: Random) => Trap;
}

/** Between two numbers, every factor as likely as every other. */
export const logUniform = (random: Random, low: number, high: number): number =>
  Math.exp(Math.log(low) + random() * Math.log(high / low));

/** One of a list. */
export const pick = <Item>(random: Random, items: readonly [Item, ...Item[]]): Item =>
  items[Math.floor(random() * items.length)] ?? items[0];

/** Fraction bits that `still` keeps. */
const STILL_BITS = 22;

/** A value as it is, to 2^-23, without its gradient: rounding to a grid is constant almost everywhere. */
export function still(b: GraphBuilder, value: string): string {
  const grid = b.scalar(2 ** STILL_BITS);
  return b.over(b.op('Round', [b.times(value, grid)]), grid);
}
