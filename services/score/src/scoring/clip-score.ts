import { type attack, encodeTensor, score } from '@faultline/contracts';
import type { AssessmentReport, VerdictName } from '@faultline/report';
import { collateralOf, goalMargin } from '../judge/goal.ts';
import type { Candidate } from '../judge/inspect.ts';
import { Ledger } from '../judge/ledger.ts';
import type { Verified } from '../judge/verified.ts';
import type { AttackedClip } from '../peers/attack-batch.ts';
import { attackedTaps } from '../peers/clean-taps.ts';
import { isReached, type VictimUnderTest } from '../peers/victim-under-test.ts';
import { type PlannedThreatModel, searches } from '../planning/planned-attacks.ts';
import type { RequestedClip } from '../planning/requested-clips.ts';

/** A requested clip as one victim sees it before any attack. */
export interface CleanClip extends AttackedClip {
  readonly clip: RequestedClip;
  /** Logits of the clean clip, [labels]. */
  readonly logits: Float32Array;
}

/** How a goal stands on a clean clip. */
export interface CleanStanding {
  /** Undefined when the clip has no true label: there is nothing to attack. */
  readonly margin: number | undefined;
  readonly isReached: boolean;
}

/** How a threat model's goal stands on a clean clip. */
export function cleanStanding(
  victim: VictimUnderTest,
  { model }: PlannedThreatModel,
  { labels, logits }: CleanClip,
): CleanStanding {
  const margin = labels.length === 0 ? undefined : goalMargin(victim, model.goal, logits, labels);
  return { margin, isReached: margin === undefined || isReached(victim, margin) };
}

/** One verified candidate with its tensors. */
export interface Found {
  /** Name of the attack that found it. */
  readonly attack: string;
  readonly candidate: Candidate;
  readonly verified: Verified;
}

/** A score of which nothing is known but what it is of. */
export function blankScore(
  victim: string,
  { model, limit }: PlannedThreatModel,
  clip: RequestedClip,
  state: score.ScoreState,
  reason: string,
): score.ClipScore {
  return score.ClipScore.fromPartial({
    victim,
    threatModel: model.name,
    clip: clip.name,
    state,
    reason,
    labels: [...clip.labels],
    labelSource: clip.labelSource,
    limit: Number.isFinite(limit) ? limit : 0,
  });
}

/** A score as far as the clean clip tells it. */
export function cleanScore(
  victim: VictimUnderTest,
  threatModel: PlannedThreatModel,
  clean: CleanClip,
  state: score.ScoreState,
  reason: string,
): score.ClipScore {
  return {
    ...blankScore(victim.name, threatModel, clean.clip, state, reason),
    featureSpace: attackedTaps(victim, threatModel.model).length > 0,
    labels: [...clean.labels],
    cleanMargin: cleanStanding(victim, threatModel, clean).margin,
  };
}

const REFUSALS: Readonly<Record<string, string>> = {
  'over-budget': 'over budget',
  'out-of-range': 'out of range',
  'outside-region': 'outside their region',
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
    const { norm, rootMeanSquare, decibels, loudness, cleanLoudness } = measured;
    return [
      {
        variable,
        epsilon: scale * rho,
        norm,
        rootMeanSquare,
        decibels: decibels ?? undefined,
        loudness: loudness ?? undefined,
        cleanLoudness: cleanLoudness ?? undefined,
      },
    ];
  });
}

/** What the attacks on one clip came to. */
export interface ClipFindings {
  /** Candidates of all attacks, verified. */
  readonly found: readonly Found[];
  /** Scales of searches that were tried without success below their own. */
  readonly failedScales: readonly number[];
  readonly evidence: readonly score.ClipEvidence[];
  /** Why the search was cut short; undefined: it was not. */
  readonly cut: string | undefined;
  /** What the attacks are worth; undefined: not looked at. */
  readonly assessment: AssessmentReport | undefined;
}

const {
  ASSESSMENT_VERDICT_UNSPECIFIED,
  ASSESSMENT_VERDICT_SOUND,
  ASSESSMENT_VERDICT_REMEDIED,
  ASSESSMENT_VERDICT_WITHHELD,
} = score.AssessmentVerdict;

const VERDICTS: Readonly<Record<VerdictName, score.AssessmentVerdict>> = {
  sound: ASSESSMENT_VERDICT_SOUND,
  remedied: ASSESSMENT_VERDICT_REMEDIED,
  withheld: ASSESSMENT_VERDICT_WITHHELD,
  'not assessed': ASSESSMENT_VERDICT_UNSPECIFIED,
};

const assessmentMessage = ({ verdict, reason, remedy, findings }: AssessmentReport): score.Assessment => ({
  verdict: VERDICTS[verdict],
  reason,
  remedy: remedy ?? '',
  findings: findings.map((one) => ({ ...one })),
});

/**
 * The score of one clip from what was found. A search that was cut short says nothing about budgets without a success, so
 * only the success itself is told; where the score is withheld, its size and tensors without a critical scale.
 */
export function attackedScore(
  victim: VictimUnderTest,
  threatModel: PlannedThreatModel,
  clean: CleanClip,
  { found, failedScales, evidence, cut, assessment }: ClipFindings,
  adversarial: score.AdversarialReturn,
): score.ClipScore {
  const { SCORE_STATE_FINISHED, SCORE_STATE_CUT_SHORT } = score.ScoreState;
  const { model, attacks } = threatModel;
  const ledger = new Ledger([false]);
  let best: Found | undefined;
  for (const one of found) {
    const { verdict, scale } = one.verified;
    if (verdict === 'reached' && ledger.record(0, scale, one.attack)) best = one;
  }
  for (const scale of failedScales) ledger.recordFailures(new Map([[0, scale]]));
  const climbed = attacks.some((one) => !searches(one));
  const [interval] = ledger.intervals(climbed ? model.rungs.map(({ scale }) => scale) : []);
  const wanted = adversarial !== score.AdversarialReturn.ADVERSARIAL_RETURN_UNSPECIFIED;
  const state = cut === undefined ? SCORE_STATE_FINISHED : SCORE_STATE_CUT_SHORT;
  const isWithheld = assessment?.verdict === 'withheld';
  const logits = best?.verified.logits;
  const collateral =
    logits === undefined ? undefined : collateralOf(victim, model.goal, clean.logits, logits, clean.labels);
  return {
    ...cleanScore(
      victim,
      threatModel,
      clean,
      state,
      [cut ?? '', isWithheld ? `withheld: ${assessment.reason}` : '', refusals(found)].filter(Boolean).join('; '),
    ),
    criticalScale: isWithheld ? undefined : best?.verified.scale,
    triedWithout: cut === undefined && !isWithheld ? (interval?.triedWithout ?? 0) : 0,
    assessment: assessment && assessmentMessage(assessment),
    adversarialMargin: best?.verified.margin,
    heldOutShare: best?.verified.heldOutShare,
    perturbations: best === undefined ? [] : perturbations(model, best.verified.scale, best.verified),
    adversarial: best !== undefined && wanted ? tensorsOf(victim, best.candidate) : [],
    attack: best?.attack ?? '',
    turnedOff: [...(collateral?.turnedOff ?? [])],
    turnedOn: [...(collateral?.turnedOn ?? [])],
    evidence: [...evidence],
  };
}

function tensorsOf(victim: VictimUnderTest, { adversarial }: Candidate) {
  return [...victim.dims].flatMap(([name, dims]) => {
    const data = adversarial.get(name);
    // A copy: the row is a view of a whole message, which would stay in memory with it.
    return data === undefined ? [] : [{ name, tensor: encodeTensor({ dims: [...dims], data: data.slice() }) }];
  });
}
