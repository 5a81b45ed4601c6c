import { createHash } from 'node:crypto';
import type { victim } from '@faultline/contracts';
import { encodeModel, type Graph, modelOf } from '@faultline/onnx';
import { quantisedInput } from './quantised-input.ts';
import { randomLayer } from './random-layer.ts';
import { saturatedOutput } from './saturated-output.ts';
import type { Random, TrapFamily, TrapSetting } from './trap.ts';

export type { Random, Trap, TrapFamily, TrapSetting } from './trap.ts';

/** Kinds of traps: what masks gradients in published defences. Athalye et al. 2018, arXiv 1802.00420, section 3. */
export const TRAP_FAMILIES: readonly TrapFamily[] = [
  { name: 'saturated output', set: saturatedOutput },
  { name: 'quantised input', set: quantisedInput },
  { name: 'random layer', set: randomLayer },
];

/** A victim as files. */
export interface TrapFiles {
  readonly model: Uint8Array;
  readonly card: victim.Card;
}

/** A trapped victim, and one of the same function that shows its gradient; what was drawn. */
export interface TrappedVictim {
  readonly masked: TrapFiles;
  readonly revealed: TrapFiles;
  readonly drawn: string;
}

/** Builds a trap of a family into a victim. */
export function trapVictim(family: TrapFamily, setting: TrapSetting, random: Random): TrappedVictim {
  const { masked, revealed, logitScale, drawn } = family.set(setting, random);
  const files = (graph: Graph, scale: number): TrapFiles => {
    const model = encodeModel(modelOf(graph));
    const sha256 = createHash('sha256').update(model).digest('hex');
    return { model, card: { ...setting.card, sha256, logitScale: scale } };
  };
  const { logitScale: original } = setting.card;
  const isDecision = revealed === setting.graph;
  return { masked: files(masked, logitScale), revealed: files(revealed, isDecision ? original : logitScale), drawn };
}
