import type { Censoring, Interval, RankingFigures } from '@faultline/metrics';
import type { UniversalModelReport, UniversalResult } from './universal-report.ts';

/** Version of the report's shape. */
export const REPORT_SCHEMA_VERSION = 3;

export type NormName = 'linf' | 'l2' | 'l1' | 'l0';
export type StoppingName = 'early' | 'never';
export type FusionName = 'early' | 'mid' | 'late' | 'decision' | 'audio-only' | 'visual-only' | 'unspecified';

/**
 * What a threat model changes: what a victim is given (`signal`), values inside it (`feature-space`: no sound or picture need exist that has these features), or both at once. Budgets of different
 * domains do not compare.
 */
export type DomainName = 'signal' | 'feature-space' | 'signal and feature-space';

/** One variable that a threat model may change, with its budget at scale 1. */
export interface VariableReport {
  readonly variable: string;
  /** An input, or a tap: the front end's log-mel, or other features. */
  readonly kind: 'waveform' | 'frames' | 'log-mel' | 'features';
  readonly domain: 'waveform' | 'pixels' | 'feature-space';
  /** True: budgets and sizes are shares of the size of the clean value in each clip: its L2 or L1 norm, for L-inf its root mean square. */
  readonly relative: boolean;
  /** In which its budget is measured; in each frame by itself where `perFrame`. */
  readonly norm: NormName;
  readonly perFrame: boolean;
  /** Whose coefficients are weighted, by what; null: its samples are measured. */
  readonly weighting: 'loudness' | 'masking' | null;
  /** Budget at scale 1, in `unit`. */
  readonly rho: number;
  readonly unit:
    | 'amplitude in [-1, 1]'
    | 'pixels in [0, 1]'
    | 'coordinates'
    | 'K-weighted amplitude'
    | 'shares of the masking threshold'
    | 'shares of the clean value'
    | 'units of the tap'
    | `log-mel units of ${string} dB`;
}

export type GoalName = 'deactivate all' | 'deactivate one' | 'fabricate one' | 'top k' | 'targeted';

/** What attacks want of the logits; `label` and `k` where the goal has them. */
export interface GoalReport {
  readonly kind: GoalName;
  readonly label: string | null;
  readonly k: number | null;
}

export type KnowledgeName = 'gradients' | 'scores' | 'labels' | 'nothing';

/** An attack as it was asked for. */
export interface AttackReport {
  /** Unique under its threat model; of noise, its distribution. */
  readonly name: string;
  readonly attack: string;
  /** 'search': for the smallest scale of each clip; 'ladder': at given budgets. */
  readonly form: 'ladder' | 'search';
  readonly knowledge: KnowledgeName;
  /** Gradient steps a restart (of transfer on the surrogate); of no meaning without gradients. */
  readonly steps: number;
  readonly restarts: number;
  /** Of an attack that crafts on another victim: its name. */
  readonly surrogate: string | null;
  /** Parameters that were given; the others have the catalogue's defaults. */
  readonly parameters: Readonly<Record<string, number | string>>;
}

export interface ThreatModelReport {
  readonly name: string;
  readonly norm: NormName;
  readonly goal: GoalReport;
  readonly attacks: readonly AttackReport[];
  /** The random noise of equal norm that is measured beside them: one entry a distribution, with as many draws as the attack with the most restarts. */
  readonly noises: readonly AttackReport[];
  readonly seed: number;
  /** E of the robustness score: the ladder's largest scale, or the search's bound. */
  readonly limit: number;
  /** `region`: protobuf JSON of where the variable may change; null: everywhere. `own`: that of what else its budget says, a norm or frames of its own. */
  readonly variables: readonly {
    readonly variable: string;
    readonly rho: number;
    readonly region: unknown;
    readonly own: unknown;
  }[];
  /** Empty: attacks search. */
  readonly rungs: readonly { readonly scale: number; readonly stopping: StoppingName }[];
}

export interface ClipReport {
  readonly id: string;
  readonly sha256: string;
  readonly labels: readonly string[];
  /** "unseen" or "seen" sources. */
  readonly stratum: string;
  /** True when sound and picture show the same events. */
  readonly agree: boolean;
}

/** What was asked for, after defaults were filled in. */
export interface CampaignReport {
  readonly name: string;
  readonly seed: number;
  readonly victims: readonly string[];
  readonly threatModels: readonly ThreatModelReport[];
  /** Threat models of one perturbation for all clips. */
  readonly universals: readonly UniversalModelReport[];
  readonly clipSet: { readonly name: string; readonly version: string; readonly clips: readonly ClipReport[] };
}

/** Where it ran: what bit-equal results depend on. No names of machines or people. */
export interface EnvironmentReport {
  readonly node: string;
  readonly platform: string;
  readonly architecture: string;
  readonly cpuModel: string;
  readonly cpus: number;
}

/** Clean figures of one stratum. */
export interface CleanFigures extends RankingFigures {
  /** Share of clips with a true label at or above its threshold, so that there is something to deactivate: RA(0). */
  readonly accuracy: number;
}

/** Clean macro mAP as it is, and with one modality taken from another clip of disjoint labels; null: not measurable. */
export interface FusionCheck {
  readonly cleanMap: number | null;
  readonly audioSwapped: number | null;
  readonly framesSwapped: number | null;
  /** Clips that had a partner with disjoint labels; the figures are over these. */
  readonly clips: number;
}

/** Examples through a victim. */
export interface CostReport {
  readonly forwardExamples: number;
  readonly gradientExamples: number;
}

/**
 * What the figures of a victim under a threat model are worth. 'sound': nothing speaks against them. 'remedied': the attacks failed for reasons of their own, and
 * points from elsewhere, verified like all others, stand in the ledger. 'withheld': no way around was found, and there is no robustness score. 'not assessed': no attack
 * follows gradients, or there is nothing to attack.
 */
export type VerdictName = 'sound' | 'remedied' | 'withheld' | 'not assessed';

/** A sign that an attack failed for reasons of its own, not for the victim's strength. */
export interface FindingReport {
  readonly indicator: string;
  /** For people: what was seen, and what that means. */
  readonly reason: string;
  /** Clips that show it, of those whose evidence tells. */
  readonly clips: number;
  readonly of: number;
}

/** Whether attacks worked, by behaviour alone: see `@faultline/attack-algorithms/sanity`. */
export interface AssessmentReport {
  readonly verdict: VerdictName;
  /** Why it is not sound; empty where it is. */
  readonly reason: string;
  /** Where the ledger's points come from, as the attack of that name; null: no remedy was needed, or none helped. */
  readonly remedy: string | null;
  readonly findings: readonly FindingReport[];
  /** Of looking at the victim, verification aside. */
  readonly cost: CostReport;
}

export type FlagCode =
  | 'inversion'
  | 'refuted'
  | 'over-budget'
  | 'out-of-range'
  | 'outside-region'
  | 'silent-success'
  | 'knowledge-inversion'
  | 'missing-candidates'
  | 'no-better-than-noise'
  | 'censored'
  | 'estimated-gradient'
  | 'remedied'
  | 'withheld';

/** Something about a result that a reader should know before trusting it. */
export interface Flag {
  readonly code: FlagCode;
  readonly message: string;
  /** Number of cases. */
  readonly count: number;
}

/** Sizes of the perturbations that were verified, over the candidates of a rung; float64, from the fetched tensors. */
export interface MeasuredPerturbation {
  /** As the variable's budget measures it. */
  readonly max: number;
  readonly median: number;
  /** Median L2 / sqrt(number of coordinates). */
  readonly medianRootMeanSquare: number;
  /** Median SNR (waveform, taps) or PSNR (frames), dB; null when nothing was perturbed. */
  readonly medianDecibels: number | null;
  /** Median loudness of the perturbation as a whole (waveform), LKFS; null for frames and when nothing was perturbed. */
  readonly medianLoudness: number | null;
}

/** What became of the candidates of one attack: at one rung, or of its search. */
export interface CandidateCounts {
  /** Candidates returned. */
  readonly candidates: number;
  /** Of these: a fresh prediction confirmed the goal, within budget. */
  readonly verified: number;
  /** The attack believed the goal reached; the fresh prediction says no. */
  readonly refuted: number;
  /** Rejected: a float64 norm exceeds the budget. */
  readonly overBudget: number;
  /** Rejected: a value outside the variable's range, or not a number. */
  readonly outOfRange: number;
  /** Rejected: something changed outside the variable's region. */
  readonly outsideRegion: number;
  /** By variable. */
  readonly measured: Readonly<Record<string, MeasuredPerturbation>>;
  /** Null where the attack was asked for no shifts (`shift_share`), or nothing was verified. */
  readonly heldOutShifts: HeldOutShifts | null;
}

/** Whether successes of an attack over shifted onsets hold at onsets that it has not drawn. */
export interface HeldOutShifts {
  /** Onsets on which each success was tried again. */
  readonly onsets: number;
  /** Successes that were tried. */
  readonly successes: number;
  /** Mean over the successes of the share of onsets at which they still are. */
  readonly share: number;
}

/** What the candidates of one attack at one rung turned out to be. */
export interface RawRung extends CandidateCounts {
  /** Share of all clips reached by this rung's own candidates; null for early-stopped rungs, which skip clips that a
   * smaller rung reached. */
  readonly success: number | null;
  /** Clips reached at a smaller rung whose candidate of this rung fails. */
  readonly inversions: number;
  /** mAP, AUC, d' over all clips; only for rungs without early stopping, else null. */
  readonly ranking: RankingFigures | null;
}

/** Quartiles over clips; a value that half of the clips do not have is null (of a search: no success yet). */
export interface Quartiles {
  readonly low: number | null;
  readonly median: number | null;
  readonly high: number | null;
}

/** Where an attack stood after so many steps of its first restart. */
export interface CoursePoint {
  readonly step: number;
  /** Share of all clips whose goal counted as reached by then, of those alone that were verified in the end. Clips that had it when clean are among them. */
  readonly reached: number;
  /** Of the attack's own margins, in logits, over the clips that had not the goal when clean; a clip that was dropped keeps its last one. */
  readonly margin: Quartiles;
  /** In a search: of the smallest scales with success so far. */
  readonly scale: Quartiles | null;
}

/** The course of one attack at one rung, or of its search. */
export interface Course {
  /** Null: a search. */
  readonly rung: number | null;
  readonly points: readonly CoursePoint[];
  /** As `CoursePoint.reached`, after each restart (of each attack of an ensemble, one after the other). */
  readonly byRestart: readonly number[];
}

/** What an attack's loops told: its own numbers, which say whether it worked as it should, and never that it succeeded. */
export interface EvidenceReport {
  readonly courses: readonly Course[];
  /** Points that were evaluated, over all clips, rungs and restarts, the probes of black-box attacks not among them. */
  readonly evaluations: number;
  /** Share of these whose margin was above that of the point before. */
  readonly rises: number;
  /** Of each attacked variable the share of its gradients that were 0 in every coordinate, and the largest sum of absolute values; empty without gradients. */
  readonly gradients: readonly { readonly variable: string; readonly zeroShare: number; readonly largest: number }[];
  /** Clips and rungs on which a point reached the goal, while nothing that came back did. */
  readonly silentSuccesses: number;
}

/** Labels that changed beside the goal's own, over the verified candidates of smallest budget of all clips that were on when clean. */
export interface CollateralReport {
  readonly clips: number;
  /** Clips with any such change. */
  readonly changed: number;
  /** Labels that fell below their thresholds, and that rose to or above them, over all these clips. */
  readonly turnedOff: number;
  readonly turnedOn: number;
}

/** One attack by itself. */
export interface AttackResult extends AttackReport {
  /** From its own successes alone. */
  readonly summary: RobustnessSummary;
  /** Its own robust accuracy at each rung of the threat model's ladder. */
  readonly robustAccuracy: readonly number[];
  /** One a rung; empty for searches. */
  readonly rungs: readonly RawRung[];
  /** Null on ladders. */
  readonly search: CandidateCounts | null;
  /** Null where its service tells none. */
  readonly evidence: EvidenceReport | null;
  readonly collateral: CollateralReport;
  readonly cost: CostReport;
}

/** One budget of a ladder. */
export interface LadderRow {
  readonly scale: number;
  readonly stopping: StoppingName;
  /** Budget of each variable, scale x rho. */
  readonly epsilons: Readonly<Record<string, number>>;
  /** Robust deactivation accuracy (robust accuracy under another goal) from the ledger over all attacks. */
  readonly robustAccuracy: number;
  /** 95 % bootstrap interval that resamples independence groups; null with fewer than two groups. */
  readonly interval: Interval | null;
  /** The same of equal-norm random noise, the best of all distributions and draws, kept apart from the ledger. */
  readonly noiseAccuracy: number;
  /** mAP, AUC, d' over all clips, each clip's lowest-margin candidate over all attacks; null on early-stopped rungs. */
  readonly ranking: RankingFigures | null;
  readonly noiseRanking: RankingFigures | null;
}

/** Critical budget of one clip, as a scale. */
export interface CriticalScale {
  /** Largest scale tried without success before `critical`; 0 when none. A failed attack bounds nothing. */
  readonly triedWithout: number;
  /** Smallest verified scale; 0: the goal is reached when clean; null: beyond the limit. */
  readonly critical: number | null;
  /** Name of the attack that found it; null: none did, or none was needed. */
  readonly attack: string | null;
}

/** Summary of a set of clips under one threat model. Scales; null median: "> limit". */
export interface RobustnessSummary {
  readonly clips: number;
  readonly medianCriticalScale: number | null;
  /** R = mean(min(critical, limit)) / limit. */
  readonly robustnessScore: number;
}

/** The same of a result that may be withheld: then no median and no score is reported. */
export type HeadlineSummary = Omit<RobustnessSummary, 'robustnessScore'> & { readonly robustnessScore: number | null };

/**
 * What became of an example that was written as a media file, read back and predicted again. 'vanished': no change is as large as a step of a file. 'form alone': the
 * clean clip in this form reaches the goal as well, and nothing is said about the attack.
 */
export type WriteOutcome = 'survived' | 'lost' | 'vanished' | 'form alone';

/** The best verified examples of one victim under one threat model in one form. */
export interface WriteBackReport {
  /** "lossless", "h264:60k,aac:24k" */
  readonly form: string;
  /** Clips with a verified example. */
  readonly written: number;
  readonly survived: number;
  readonly lost: number;
  readonly vanished: number;
  readonly formAlone: number;
  /** Bits per second of whole files; null where none was written. */
  readonly medianBitRate: number | null;
  readonly variables: readonly {
    readonly variable: string;
    /** One step of a file: 1/255 of a pixel, 1/32768 of an amplitude. */
    readonly step: number;
    /** Examples whose budget is below it: nothing of them is left, in any norm but L0. */
    readonly belowStep: number;
    /** Of the values that an attack changed, the share still changed on the file's grid. */
    readonly medianKept: number | null;
    /** SNR (waveform) or PSNR (frames) of what decoding leaves, towards the clean clip in the same form. */
    readonly medianDecibels: number | null;
  }[];
  /** One a clip, in the order of `criticals`; null: no verified example. */
  readonly outcomes: readonly (WriteOutcome | null)[];
}

/** Adversarial tensors of one clip by variable: float32, little-endian, in the artefact store under their SHA-256. */
export type AdversarialReference = Readonly<
  Record<string, { readonly dims: readonly number[]; readonly sha256: string; readonly sizeBytes: number }>
>;

export interface ThreatModelResult {
  readonly threatModel: string;
  readonly norm: NormName;
  readonly goal: GoalReport;
  readonly domain: DomainName;
  readonly variables: readonly VariableReport[];
  /** E of the robustness score: the ladder's largest scale, or the search's bound. */
  readonly limit: number;
  /** Share of clips that have not the goal when clean: RA(0). */
  readonly cleanAccuracy: number;
  /** The worst verdict on the variables' gradients. */
  readonly gradient: GradientName;
  /** Empty: attacks search. */
  readonly ladder: readonly LadderRow[];
  /** What the figures are worth. Where they are withheld, the ladder, the criticals and the quantiles are what the attacks reached all the same: upper bounds. */
  readonly assessment: AssessmentReport;
  /** One a clip, in the order of `campaign.clipSet.clips`. */
  readonly criticals: readonly CriticalScale[];
  /** Score null: withheld, for the reason of the assessment. */
  readonly headline: HeadlineSummary & { readonly interval: Interval | null };
  /** Only the clips that every victim of the campaign gets right when clean; null when there are none. */
  readonly paired: (HeadlineSummary & { readonly robustAccuracy: readonly number[] }) | null;
  /** Critical scales below which these shares of the clips are; null: beyond the limit. */
  readonly quantiles: readonly { readonly share: number; readonly scale: number | null }[];
  /** Equal-norm noise, the best of all distributions and draws, summarised the same way. */
  readonly noise: RobustnessSummary;
  /** One a clip: the smallest scale at which noise reaches the goal. */
  readonly noiseCriticals: readonly (number | null)[];
  /** Each attack by itself, as asked. */
  readonly attacks: readonly AttackResult[];
  /** Each distribution of noise by itself. */
  readonly noises: readonly AttackResult[];
  /** Of the ledger's tensors. */
  readonly collateral: CollateralReport;
  /** Where the ladder (or search) fails to span 90 % to 10 % of the clean figure. */
  readonly censoring: Censoring;
  /**
   * One a clip, in the order of `criticals`: the adversarial tensors of its smallest verified budget, as artefacts; null where none was
   * found. Null as a whole unless the campaign keeps them.
   */
  readonly adversarial: readonly (AdversarialReference | null)[] | null;
  /** The same examples as media files, one entry a form; null unless the campaign asks for files. */
  readonly writeBack: readonly WriteBackReport[] | null;
  readonly cost: { readonly attack: CostReport; readonly noise: CostReport; readonly verification: CostReport };
  readonly flags: readonly Flag[];
}

/**
 * What attacks may use of a victim. "white-box with estimation": gradients pass quantisation straight through, as if it were the identity.
 * "unknown": its inference service does not say.
 */
export type GradientName = 'white-box' | 'white-box with estimation' | 'black-box' | 'unknown';

/** The verdict on a victim's gradients, as found when its model was loaded. */
export interface GradientReport {
  /** The least of its inputs' verdicts. */
  readonly verdict: GradientName;
  readonly variables: readonly { readonly variable: string; readonly verdict: GradientName; readonly reason: string }[];
  /** Operators whose gradient is an estimate. */
  readonly estimatedOperators: readonly string[];
}

export interface VictimReport {
  readonly name: string;
  readonly title: string;
  readonly fusion: FusionName;
  readonly parameters: number;
  /** Multiply-accumulate operations of a forward pass of one example. */
  readonly macs: number;
  readonly sha256: string;
  readonly runtime: string;
  readonly threads: number;
  readonly gradient: GradientReport;
  readonly operatingPoint: string;
  readonly labels: readonly { readonly label: string; readonly threshold: number }[];
  readonly logitScale: number;
  /** Tolerance of a verdict, in logits: deactivated when the margin is at or below -tau. */
  readonly tau: number;
  readonly clean: CleanFigures;
  readonly cleanByStratum: Readonly<Record<string, CleanFigures>>;
  /** One a clip: largest true logit above its threshold. */
  readonly cleanMargins: readonly number[];
  readonly fusionCheck: FusionCheck | null;
  readonly threatModels: readonly ThreatModelResult[];
  /** One a threat model of one perturbation for all clips. */
  readonly universals: readonly UniversalResult[];
}

/** One line of the headline table: a victim under a threat model. */
export interface TradeOffRow {
  readonly victim: string;
  readonly fusion: FusionName;
  readonly parameters: number;
  readonly macs: number;
  readonly cleanMap: number | null;
  readonly cleanAccuracy: number;
  readonly threatModel: string;
  readonly norm: NormName;
  readonly domain: DomainName;
  readonly variables: readonly string[];
  readonly ladder: readonly {
    readonly scale: number;
    readonly epsilons: Readonly<Record<string, number>>;
    readonly robustAccuracy: number;
    readonly noiseAccuracy: number;
    /** Null on early-stopped rungs. */
    readonly robustMap: number | null;
    readonly noiseMap: number | null;
  }[];
  readonly quantiles: ThreatModelResult['quantiles'];
  readonly medianCriticalScale: number | null;
  readonly noiseMedian: number | null;
  readonly limit: number;
  readonly verdict: VerdictName;
  /** Null: withheld, as is the median. */
  readonly robustnessScore: number | null;
  readonly robustnessInterval: Interval | null;
  readonly censoring: Censoring;
  readonly flags: number;
}

/** Two victims under one threat model, paired over all clips. */
export interface ComparisonReport {
  readonly threatModel: string;
  readonly first: string;
  readonly second: string;
  /** Robustness score of the first less that of the second, in [-1, 1]. */
  readonly difference: number;
  /** 95 % bootstrap interval that resamples independence groups. */
  readonly interval: Interval;
  /** Two-sided, of this comparison alone. */
  readonly pValue: number;
  /** Corrected by Holm's method for all comparisons of the report: the one to go by. */
  readonly pHolm: number;
}

/** A victim that is left out of the comparisons under a threat model, as its score is withheld. */
export interface UncomparedReport {
  readonly threatModel: string;
  readonly victim: string;
  readonly reason: string;
}

/** Durations; the only part of a report, beside `run`, that differs between two runs with one seed on one machine. */
export interface TimingsReport {
  readonly totalMs: number;
  /** Reading and extracting the clips. */
  readonly prepareMs: number;
  readonly clean: readonly { readonly victim: string; readonly durationMs: number }[];
  readonly attacks: readonly {
    readonly victim: string;
    readonly threatModel: string;
    readonly attackMs: number;
    readonly noiseMs: number;
    readonly verifyMs: number;
    /** Of the assessment: of what the attacks are worth, and of remedies where they failed. */
    readonly assessMs: number;
    /** Of writing examples as media files and scoring these. */
    readonly writeMs: number;
    /** By the clock, all in all: attack, noise and verification overlap. */
    readonly totalMs: number;
  }[];
}

/** The result of a campaign; `report.json`. */
export interface Report {
  readonly schemaVersion: typeof REPORT_SCHEMA_VERSION;
  /** Identifiers and dates: differ between runs. */
  readonly run: {
    readonly id: string;
    readonly startedAt: string;
    readonly endedAt: string;
    readonly traceId: string;
  };
  readonly campaign: CampaignReport;
  readonly environment: EnvironmentReport;
  /** Victims in their order, threat models in theirs. */
  readonly tradeOff: readonly TradeOffRow[];
  readonly victims: readonly VictimReport[];
  /**
   * Every pair of victims under every threat model, threat models in their order. Empty with one victim, or fewer than two
   * independence groups. They compare these trained victims; a claim on their fusion needs several training seeds that agree.
   */
  readonly comparisons: readonly ComparisonReport[];
  /** Victims that are not compared. */
  readonly uncompared: readonly UncomparedReport[];
  readonly timings: TimingsReport;
}

/** The part of a report that two runs with one seed on one machine share. */
export function comparablePart(report: Report): Omit<Report, 'run' | 'timings'> {
  const { run: _run, timings: _timings, ...comparable } = report;
  return comparable;
}
