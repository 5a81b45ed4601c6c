import { type attack, encodeTensor, score } from '@faultline/contracts';
import { exampleDims } from '@faultline/victim';
import type { Candidate } from '../judge/inspect.ts';
import { Ledger } from '../judge/ledger.ts';
import type { Verified } from '../judge/verified.ts';
import type { AttackedClip } from '../peers/attack-batch.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { RequestedClip } from '../planning/requested-clips.ts';

/** A requested clip as one victim sees it before any attack. */
export interface CleanClip extends AttackedClip {
  readonly clip: RequestedClip;
  /** Undefined when there is no label to deactivate. */
  readonly margin: number | undefined;
  readonly isOff: boolean;
}

/** One verified candidate with its tensors. */
export interface Found {
  readonly candidate: Candidate;
  readonly verified: Verified;
}

/** A score of which nothing is known but what it is of. */
export function blankScore(
  victim: string,
  threatModel: attack.ThreatModel,
  clip: RequestedClip,
  state: score.ScoreState,
  reason: string,
): score.ClipScore {
  return score.ClipScore.fromPartial({
    victim,
    threatModel: threatModel.name,
    clip: clip.name,
    state,
    reason,
    labels: [...clip.labels],
    labelSource: clip.labelSource,
    limit: threatModel.rungs.at(-1)?.scale ?? 0,
  });
}

/** A score as far as the clean clip tells it. */
export function cleanScore(
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  clean: CleanClip,
  state: score.ScoreState,
  reason: string,
): score.ClipScore {
  return {
    ...blankScore(victim.name, threatModel, clean.clip, state, reason),
    labels: [...clean.labels],
    cleanMargin: clean.margin,
  };
}

const REFUSALS: Readonly<Record<string, string>> = {
  'over-budget': 'over budget',
  'out-of-range': 'out of range',
  refuted: 'not confirmed by a fresh prediction',
};

/** What a fresh look at the candidates did not confirm, for people; empty when it confirmed all of them. */
function refusals(found: readonly Found[]): string {
  const counts = Object.entries(REFUSALS).flatMap(([kind, text]) => {
    const count = found.filter(({ verified }) => (kind === 'refuted' ? verified.refuted : verified.verdict === kind));
    return count.length === 0 ? [] : [`${count.length} ${text}`];
  });
  return counts.length === 0 ? '' : `candidates of the attack were refused: ${counts.join(', ')}`;
}

function perturbations(threatModel: attack.ThreatModel, scale: number, verified: Verified) {
  return threatModel.variables.flatMap(({ variable, rho }): score.VariablePerturbation[] => {
    const measured = verified.measured.get(variable);
    if (measured === undefined) return [];
    const { norm, rootMeanSquare, decibels } = measured;
    return [{ variable, epsilon: scale * rho, norm, rootMeanSquare, decibels: decibels ?? undefined }];
  });
}

/**
 * The score of one clip from what was found. A search that was cut short says nothing about budgets without a success, so
 * only the success itself is told.
 * @param found its candidates, verified.
 * @param cut why the search was cut short; undefined: it was not.
 */
export function attackedScore(
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  clean: CleanClip,
  found: readonly Found[],
  cut: string | undefined,
  adversarial: score.AdversarialReturn,
): score.ClipScore {
  const { SCORE_STATE_FINISHED, SCORE_STATE_CUT_SHORT } = score.ScoreState;
  const ledger = new Ledger([false]);
  let best: { readonly scale: number; readonly one: Found } | undefined;
  for (const one of found) {
    const scale = threatModel.rungs[one.verified.rung]?.scale;
    if (scale === undefined || one.verified.verdict !== 'reached') continue;
    if (ledger.record(0, scale)) best = { scale, one };
  }
  const [interval] = ledger.intervals(threatModel.rungs.map(({ scale }) => scale));
  const wanted = adversarial !== score.AdversarialReturn.ADVERSARIAL_RETURN_UNSPECIFIED;
  const state = cut === undefined ? SCORE_STATE_FINISHED : SCORE_STATE_CUT_SHORT;
  return {
    ...cleanScore(victim, threatModel, clean, state, [cut ?? '', refusals(found)].filter(Boolean).join('; ')),
    criticalScale: best?.scale,
    triedWithout: cut === undefined ? (interval?.triedWithout ?? 0) : 0,
    adversarialMargin: best?.one.verified.margin,
    perturbations: best === undefined ? [] : perturbations(threatModel, best.scale, best.one.verified),
    adversarial: best !== undefined && wanted ? tensorsOf(victim, best.one.candidate) : [],
  };
}

function tensorsOf(victim: VictimUnderTest, { adversarial }: Candidate) {
  return victim.card.inputs.flatMap((input) => {
    const data = adversarial.get(input.name);
    // A copy: the row is a view of a whole message, which would stay in memory with it.
    return data === undefined
      ? []
      : [{ name: input.name, tensor: encodeTensor({ dims: exampleDims(input), data: data.slice() }) }];
  });
}
