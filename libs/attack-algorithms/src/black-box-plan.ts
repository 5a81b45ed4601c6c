import type { AttackPlan, AttackSetting } from './attack.ts';
import { goalMargin } from './goals.ts';
import { settingConstants } from './parameters.ts';
import { ProgramBuilder } from './program-builder.ts';

/** What of its plan a black-box attack brings itself. */
export interface BlackBoxAttack extends Pick<AttackPlan, 'steps' | 'initParameters' | 'stepParameters' | 'noise'> {
  readonly init: Uint8Array;
  readonly step: Uint8Array;
}

/** The plan of an attack that evaluates one point of each example in each step; its `loss` is the goal's exact margin. */
export function blackBoxPlan(setting: AttackSetting, { init, step, ...schedule }: BlackBoxAttack): AttackPlan {
  const b = new ProgramBuilder();
  b.write('loss', goalMargin(b, setting));
  return {
    programs: { objective: b.bytes('exact-margin'), init, step },
    constants: settingConstants(setting),
    mode: 'evaluate',
    ...schedule,
  };
}
