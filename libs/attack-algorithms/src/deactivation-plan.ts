import type { NoiseDistribution } from '@faultline/victim';
import type { AttackPlan, AttackSetting } from './attack.ts';
import { type Loss, lossObjective } from './losses.ts';
import { settingConstants, variableNoise } from './parameters.ts';
import type { ProgramBuilder } from './program-builder.ts';
import type { BallNorm } from './projection.ts';

/** Noise whose direction has no preference in the norm: every coordinate its own sign, or a direction on the sphere; for L1 as its reference attacks start. */
const NOISE = { linf: 'uniform', l2: 'normal', l1: 'normal' } as const satisfies Record<BallNorm, NoiseDistribution>;

/** What of its plan an attack within a ball brings itself. */
export interface BallAttack extends Pick<AttackPlan, 'steps' | 'initParameters' | 'stepParameters'> {
  /** Default: the margin. */
  readonly loss?: Loss;
  /** Temperature of smooth maxima, [examples], in logits. Default: param/temperature. */
  readonly temperature?: (b: ProgramBuilder) => string;
  /** Default: what suits the norm of each variable. */
  readonly noise?: AttackPlan['noise'];
}

/** The plan of an attack within a ball from its own two programs, its loss and its schedule. */
export function deactivationPlan(
  setting: AttackSetting<BallNorm>,
  programs: { readonly init: Uint8Array; readonly step: Uint8Array },
  { loss = 'margin', temperature, noise = variableNoise(setting, (norm) => NOISE[norm]), ...schedule }: BallAttack,
): AttackPlan {
  return {
    programs: { objective: lossObjective(loss, setting, temperature), ...programs },
    noise,
    constants: settingConstants(setting),
    ...schedule,
  };
}
