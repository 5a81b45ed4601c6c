import type { Perturbations } from '@faultline/attack-algorithms';
import { encodeTensor, score } from '@faultline/contracts';
import type { UniversalFigures, UniversalResult, UniversalRung } from '@faultline/report';
import { FaultlineError } from '@faultline/service-kit';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { CleanClip } from '../scoring/clip-score.ts';
import type { PlannedUniversal } from './planned-universal.ts';
import type { Split } from './split-clips.ts';
import { type UniversalSetting, universalPhase } from './universal-phase.ts';

/**
 * Scores one perturbation for all clips of a request, as campaigns do.
 * @param clips all of the request, in its order; those without any label neither craft nor test.
 * @throws FaultlineError invalid_argument where a side has no clip with labels; others naming victim and service when either fails.
 */
export async function scoreUniversal(
  setting: Omit<UniversalSetting, 'keep'>,
  victim: VictimUnderTest,
  planned: PlannedUniversal,
  clips: readonly CleanClip[],
  adversarial: score.AdversarialReturn,
): Promise<{ readonly score: score.UniversalScore; readonly cost: UniversalResult['cost'] }> {
  const split = labelledSplit(planned.split, victim, clips);
  const kept = new Map<number, Perturbations>();
  const keep = async (perturbations: Perturbations, rung: number) => {
    if (adversarial !== score.AdversarialReturn.ADVERSARIAL_RETURN_UNSPECIFIED) kept.set(rung, perturbations);
    return null;
  };
  const grouped = clips.map((clip) => ({ ...clip, id: clip.clip.name, groups: clip.clip.groups }));
  const result = await universalPhase({ ...setting, keep }, victim, { ...planned, split }, grouped);
  const used = new Set([...result.crafted, ...result.tested]);
  return {
    cost: result.cost,
    score: {
      victim: victim.name,
      threatModel: result.threatModel,
      accumulates: result.form === 'legacy',
      crafted: [...result.crafted],
      tested: [...result.tested],
      leftOut: clips.flatMap(({ clip: { name } }) => (used.has(name) ? [] : [name])),
      clean: figuresMessage(result.clean),
      rungs: result.rungs.map((rung, index) => rungMessage(rung, kept.get(index))),
    },
  };
}

/** Without the clips in which the victim recognises nothing, and of which nobody says what is in them. */
function labelledSplit(split: Split, victim: VictimUnderTest, clips: readonly CleanClip[]): Split {
  const labelled = (indices: readonly number[]) => indices.filter((index) => (clips[index]?.labels.length ?? 0) > 0);
  const [craft, test] = [labelled(split.craft), labelled(split.test)];
  for (const [side, indices] of Object.entries({ craft, test })) {
    if (indices.length > 0) continue;
    const remedy = 'give their labels, or other clips';
    throw FaultlineError.invalid(
      'clips',
      `victim '${victim.name}' recognises nothing in those to ${side} with; ${remedy}`,
    );
  }
  return { ...split, craft, test };
}

const figuresMessage = ({ robustAccuracy, interval, success, ranking }: UniversalFigures): score.UniversalFigures => ({
  robustAccuracy,
  low: interval?.low,
  high: interval?.high,
  success: success ?? undefined,
  meanAveragePrecision: ranking.meanAveragePrecision ?? undefined,
});

const REJECTIONS = {
  'over-budget': score.UniversalRejection.UNIVERSAL_REJECTION_OVER_BUDGET,
  'outside-region': score.UniversalRejection.UNIVERSAL_REJECTION_OUTSIDE_REGION,
} as const;

function rungMessage(rung: UniversalRung, perturbations: Perturbations | undefined): score.UniversalRung {
  const { scale, epsilons, norms, applied, rejection, attack, noise, reachedByPass } = rung;
  return {
    scale,
    variables: Object.entries(epsilons).map(([variable, epsilon]) => {
      const tensor = perturbations?.get(variable);
      return {
        variable,
        epsilon,
        norm: norms[variable] ?? Number.NaN,
        applied: applied[variable] ?? Number.NaN,
        perturbation: tensor && encodeTensor(tensor),
      };
    }),
    rejection: rejection === null ? score.UniversalRejection.UNIVERSAL_REJECTION_UNSPECIFIED : REJECTIONS[rejection],
    attack: figuresMessage(attack),
    noise: figuresMessage(noise),
    reachedByPass: [...reachedByPass],
  };
}
