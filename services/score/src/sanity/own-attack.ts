import { attack } from '@faultline/contracts';
import type { PlannedAttack, PlannedThreatModel } from '../planning/planned-attacks.ts';

/**
 * Points that score brings itself, beside the attacks of a threat model: filed and verified as those of a search up to the threat model's limit.
 * @param knowledge what the points were made with.
 */
export function ownAttack(
  { model, limit }: PlannedThreatModel,
  name: string,
  knowledge: attack.AttackKnowledge,
): PlannedAttack {
  return {
    name,
    description: attack.AttackDescription.fromPartial({
      name,
      knowledge,
      kind: attack.AttackKind.ATTACK_KIND_MINIMUM_NORM,
    }),
    model: {
      ...model,
      attack: name,
      attackName: '',
      furtherAttacks: [],
      parameters: [],
      restarts: 1,
      surrogate: '',
      rungs: [],
      maxScale: Number.isFinite(limit) ? limit : undefined,
    },
  };
}
