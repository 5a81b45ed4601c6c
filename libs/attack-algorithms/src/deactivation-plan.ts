import type { NoiseDistribution } from '@faultline/victim';
import type { AttackPlan, AttackSetting } from './attack.ts';
import { deactivationObjective } from './deactivation.ts';
import { settingConstants } from './parameters.ts';
import type { BallNorm } from './projection.ts';

/** Noise whose direction has no preference in the norm: every coordinate its own sign, or a direction on the sphere. */
const NOISE = { linf: 'uniform', l2: 'normal' } as const satisfies Record<BallNorm, NoiseDistribution>;

/** The plan of an attack on deactivation from its own two programs and its schedule. */
export function deactivationPlan(
  setting: AttackSetting<BallNorm>,
  programs: { readonly init: Uint8Array; readonly step: Uint8Array },
  schedule: Pick<AttackPlan, 'steps' | 'initParameters' | 'stepParameters'>,
): AttackPlan {
  return {
    programs: { objective: deactivationObjective(setting.thresholds.length), ...programs },
    noise: NOISE[setting.norm],
    constants: settingConstants(setting),
    ...schedule,
  };
}
