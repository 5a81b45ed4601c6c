import { score } from '@faultline/contracts';
import { type WrittenExampleJson, writtenExampleJson } from './written-examples.ts';

/** A perturbation of one variable at the critical budget. */
export interface PerturbationJson {
  readonly variable: string;
  readonly epsilon: number;
  readonly norm: number;
  readonly rootMeanSquare: number;
  /** SNR of a waveform, PSNR of frames; null without a perturbation. */
  readonly decibels: number | null;
  /** Loudness of a waveform's perturbation and of the clean waveform, LKFS; null for frames, and where there is none. */
  readonly loudness: number | null;
  readonly cleanLoudness: number | null;
}

/** The robustness of one clip, for one victim. */
export interface ClipScoreJson {
  readonly victim: string;
  readonly clip: string;
  readonly state: 'finished' | 'cut short' | 'not started';
  readonly reason: string;
  /** Labels that have to fall below their thresholds. */
  readonly labels: readonly string[];
  readonly labelSource: 'request' | 'clip set' | 'prediction' | null;
  readonly cleanMargin: number | null;
  /** Smallest verified scale of the ladder; null: none up to the limit (of what was searched). */
  readonly criticalScale: number | null;
  readonly triedWithout: number;
  readonly limit: number;
  readonly adversarialMargin: number | null;
  /** Of an attack that draws shifts of the sound: share of onsets that it has not drawn at which the example still reaches the goal; null: it draws none, or found nothing. */
  readonly heldOutShare: number | null;
  /** 'feature-space': the threat model changes taps, and no sound or picture need exist that has these features. */
  readonly domain: 'signal' | 'feature-space';
  readonly perturbations: readonly PerturbationJson[];
  /** Attack that found it; empty without one. */
  readonly attack: string;
  /** Labels other than the goal's that it switched. */
  readonly turnedOff: readonly string[];
  readonly turnedOn: readonly string[];
  /** What the attacks' loops told of the clip, as in the contract's ClipEvidence: their own numbers, never results. */
  readonly evidence: readonly unknown[];
  /** Examples that were written as media files, by form, the smallest scale first. */
  readonly written: readonly WrittenExampleJson[];
  /** What the score is worth; null: nothing was attacked, or the time was not enough to look. */
  readonly assessment: AssessmentJson | null;
}

/** What a score is worth; where it is withheld there is no critical scale. */
export interface AssessmentJson {
  readonly verdict: 'sound' | 'remedied' | 'withheld' | 'not assessed';
  /** Why it is not sound; empty where it is. */
  readonly reason: string;
  /** Name of the remedy; empty: none. */
  readonly remedy: string;
  readonly findings: readonly score.AssessmentFinding[];
}

export function clipScoreJson(from: score.ClipScore): ClipScoreJson {
  return {
    victim: from.victim,
    clip: from.clip,
    state: STATES.get(from.state) ?? 'not started',
    reason: from.reason,
    labels: from.labels,
    labelSource: LABEL_SOURCES.get(from.labelSource) ?? null,
    cleanMargin: from.cleanMargin ?? null,
    criticalScale: from.criticalScale ?? null,
    triedWithout: from.triedWithout,
    limit: from.limit,
    adversarialMargin: from.adversarialMargin ?? null,
    heldOutShare: from.heldOutShare ?? null,
    domain: from.featureSpace ? 'feature-space' : 'signal',
    perturbations: from.perturbations.map(({ decibels, loudness, cleanLoudness, ...same }) => ({
      ...same,
      decibels: decibels ?? null,
      loudness: loudness ?? null,
      cleanLoudness: cleanLoudness ?? null,
    })),
    attack: from.attack,
    turnedOff: from.turnedOff,
    turnedOn: from.turnedOn,
    evidence: from.evidence.map((one) => score.ClipEvidence.toJSON(one)),
    written: from.written.map(writtenExampleJson),
    assessment:
      from.assessment === undefined
        ? null
        : { ...from.assessment, verdict: VERDICTS.get(from.assessment.verdict) ?? 'not assessed' },
  };
}

const STATES = new Map<score.ScoreState, ClipScoreJson['state']>([
  [score.ScoreState.SCORE_STATE_FINISHED, 'finished'],
  [score.ScoreState.SCORE_STATE_CUT_SHORT, 'cut short'],
  [score.ScoreState.SCORE_STATE_NOT_STARTED, 'not started'],
]);

const VERDICTS = new Map<score.AssessmentVerdict, AssessmentJson['verdict']>([
  [score.AssessmentVerdict.ASSESSMENT_VERDICT_SOUND, 'sound'],
  [score.AssessmentVerdict.ASSESSMENT_VERDICT_REMEDIED, 'remedied'],
  [score.AssessmentVerdict.ASSESSMENT_VERDICT_WITHHELD, 'withheld'],
]);

const LABEL_SOURCES = new Map<score.LabelSource, ClipScoreJson['labelSource']>([
  [score.LabelSource.LABEL_SOURCE_REQUEST, 'request'],
  [score.LabelSource.LABEL_SOURCE_CLIP_SET, 'clip set'],
  [score.LabelSource.LABEL_SOURCE_PREDICTION, 'prediction'],
]);
