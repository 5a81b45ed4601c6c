import type { victim } from '@faultline/contracts';
import { bootstrapInterval, meanDifferences } from '@faultline/metrics';
import { OFF_WHEN_CLEAN, type Outcomes, type ThreatOutcome } from './outcomes.ts';

/** Seed of the resamples. */
const BOOTSTRAP_SEED = 1;

type Groups = readonly (readonly string[])[];

const onAt = (rungs: readonly number[], rung: number): number[] => rungs.map((smallest) => Number(smallest > rung));

/**
 * The card's figures: one a choice of variables and scale.
 * @param groups independence groups of each clip
 * @param others victims to compare with
 * @throws RangeError when another was measured on other clips or with other options.
 */
export function robustnessFigures(
  outcomes: Outcomes,
  split: string,
  groups: Groups,
  others: readonly Outcomes[] = [],
): victim.RobustnessFigure[] {
  for (const other of others) checkComparable(outcomes, other);
  const { setting, clips } = outcomes;
  const epsilons = new Map(Object.entries(setting.epsilons));
  return outcomes.threats.flatMap(({ variables, attacked, noise }) =>
    setting.scales.map((scale, rung): victim.RobustnessFigure => {
      const on = onAt(attacked, rung);
      return {
        split,
        clips: clips.length,
        norm: 'linf',
        budgets: variables.map((variable) => ({ variable, epsilon: (epsilons.get(variable) ?? Number.NaN) * scale })),
        attack: 'pgd',
        steps: setting.steps,
        restarts: setting.restarts,
        clean: shareOf(onAt(attacked, OFF_WHEN_CLEAN), groups),
        attacked: shareOf(on, groups),
        noise: shareOf(onAt(noise, rung), groups),
        gains: others.flatMap((other) => {
          const same = threatIn(other, variables);
          return same === undefined ? [] : [differenceOf(other.victim, on, onAt(same.attacked, rung), groups)];
        }),
      };
    }),
  );
}

const threatIn = ({ threats }: Outcomes, variables: readonly string[]): ThreatOutcome | undefined =>
  threats.find((threat) => threat.variables.join() === variables.join());

function shareOf(on: readonly number[], groups: Groups): victim.ClipShare {
  const share = on.reduce((sum, value) => sum + value, 0) / on.length;
  const interval = bootstrapInterval({ values: on, groups, seed: BOOTSTRAP_SEED });
  // Fewer than two groups say nothing of others.
  const { low, high } = interval ?? { low: 0, high: 1 };
  return { share, low: Math.min(low, share), high: Math.max(high, share) };
}

function differenceOf(
  against: string,
  own: readonly number[],
  theirs: readonly number[],
  groups: Groups,
): victim.PairedDifference {
  const each = own.map((value, clip) => value - (theirs[clip] ?? 0));
  const [found] = meanDifferences({ differences: [each], groups, seed: BOOTSTRAP_SEED }) ?? [];
  const difference = each.reduce((sum, value) => sum + value, 0) / each.length;
  return { against, difference, low: found?.interval.low ?? -1, high: found?.interval.high ?? 1 };
}

function checkComparable(own: Outcomes, other: Outcomes): void {
  if (JSON.stringify(own.setting) !== JSON.stringify(other.setting)) {
    throw new RangeError(
      `'${other.victim}' was measured with other options (${JSON.stringify(other.setting)}); measure it again with the same`,
    );
  }
  if (own.clips.join() !== other.clips.join()) {
    throw new RangeError(`'${other.victim}' was measured on other clips; measure it again on the same`);
  }
}
