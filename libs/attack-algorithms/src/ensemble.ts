import { apgd } from './apgd.ts';
import { type AttackDefinition, type AttackPlan, type AttackSetting, defineAttack } from './attack.ts';
import { defaultValues, type ParameterSpecs, type ParameterValues } from './attack-parameters.ts';
import { LOSSES, type Loss, lossFault } from './losses.ts';
import { square } from './square.ts';

const PARAMETERS = {
  queries: {
    type: 'number',
    description:
      'Queries that the last member, the Square attack, may ask for each clip and restart; below 2 it is left out.',
    minimum: 0,
    maximum: 1_000_000,
    default: 1_000,
    whole: true,
  },
} as const satisfies ParameterSpecs;

/** A member asks for at least one query beside that of its start. */
const FEWEST_QUERIES = 2;

/** The losses of the gradient members, in order: the goal itself, and two whose gradients do not fail in the same places. */
const MEMBER_LOSSES: readonly Loss[] = LOSSES.filter((loss) => loss === 'margin' || loss === 'ce' || loss === 'dlr');

/** Losses that serve the victim; one with a single label has its binary cross-entropy beside the margin. */
function lossesFor({ thresholds, goal }: AttackSetting): Loss[] {
  const serving = MEMBER_LOSSES.filter((loss) => lossFault(loss, thresholds.length, goal) === undefined);
  return thresholds.length === 1 ? [...serving, 'bce'] : serving;
}

/** A member's plan: its defaults, but for what is named. */
function planOf(row: AttackDefinition, setting: AttackSetting, named: ParameterValues): AttackPlan {
  return row.plan(setting, { ...defaultValues(row.parameters), ...named });
}

const apgdWith = (setting: AttackSetting, loss: Loss) => planOf(apgd, setting, { loss });

/**
 * An ensemble in the manner of AutoAttack: APGD on the margin, on the cross-entropy and on the multi-label DLR, then (L-inf, L2; the goal of deactivation) the Square attack,
 * which needs no gradient and so finds what masked ones hide. Each member attacks only what still stands: clips whose goal an earlier one reached on
 * a rung that stops early are spared there and on larger rungs; on rungs that never stop every member runs, and the lowest margin is kept.
 * Source: Croce, Hein 2020, arXiv 2003.01690, section 5, whose FAB gives way here to the minimum-norm attacks of the catalogue.
 * Cost: up to three times that of APGD, and the queries.
 */
export const ensemble = defineAttack({
  name: 'ensemble',
  summary: 'APGD with three losses, then Square, each on what still stands: in the manner of AutoAttack.',
  source: 'Croce, Hein 2020, arXiv 2003.01690, section 5',
  kind: 'fixed budget',
  knowledge: 'gradients',
  norms: ['linf', 'l2', 'l1'],
  parameters: PARAMETERS,
  plan: (setting) => apgdWith(setting, 'margin'),
  members(setting, { queries }) {
    const members = lossesFor(setting).map((loss) => apgdWith(setting, loss));
    const isOther = setting.goal !== undefined && setting.goal.kind !== 'deactivate all';
    if (setting.norm === 'l1' || isOther || queries < FEWEST_QUERIES) return members;
    return [...members, planOf(square, setting, { queries })];
  },
});
