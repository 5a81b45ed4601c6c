import { attack } from '@faultline/contracts';
import {
  bootstrapInterval,
  type CriticalEpsilons,
  criticalQuantile,
  ladderCensoring,
  robustAccuracy,
  robustnessScore,
} from '@faultline/metrics';
import type {
  AssessmentReport,
  CostReport,
  DomainName,
  Flag,
  HeadlineSummary,
  LadderRow,
  ThreatModelResult,
  VariableReport,
} from '@faultline/report';
import { normOf, variableSubject, weightingOf } from '@faultline/victim';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import {
  type AttackRecord,
  collateralReport,
  type JudgedSetting,
  judgeAttack,
  recordAll,
  summarise,
} from './attack-result.ts';
import { flagsOf } from './flags.ts';
import { goalReport } from './goal.ts';
import { gradientFlags, gradientOf } from './gradient.ts';
import { Ledger } from './ledger.ts';
import { normName, stoppingName } from './names.ts';
import { attackedRanking } from './raw-rung.ts';
import type { Verified } from './verified.ts';

/** Everything that was measured for one victim under one threat model. */
export interface Evidence extends JudgedSetting {
  /** At least one. */
  readonly attacks: readonly AttackRecord[];
  /** Equal-norm noise, a record a distribution. */
  readonly noises: readonly AttackRecord[];
  /** Independence groups of each clip. */
  readonly groups: readonly (readonly string[])[];
  /** Clips that every victim of the campaign gets right when clean. */
  readonly paired: readonly number[];
  readonly seed: number;
  readonly assessment: AssessmentReport;
  readonly verificationCost: CostReport;
}

/** Shares of clips whose critical scales are printed. */
const QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9];

const UNITS = {
  waveform: 'amplitude in [-1, 1]',
  frames: 'pixels in [0, 1]',
  loudness: 'K-weighted amplitude',
  masking: 'shares of the masking threshold',
  l0: 'coordinates',
  relative: 'shares of the clean value',
  features: 'units of the tap',
} as const;

/** The variables of a threat model with their units, as the victim's card gives them. */
export function variableReports(threatModel: attack.ThreatModel, victim: VictimUnderTest): VariableReport[] {
  return threatModel.variables.map((budget) => {
    const { variable, rho, frames, relative } = budget;
    const norm = normName(normOf(threatModel, budget));
    const subject = variableSubject(victim.card, variable);
    const input = subject?.kind === 'input' ? subject.input : undefined;
    const common = { variable, norm, perFrame: frames !== undefined, relative, rho };
    if (subject?.kind === 'tap') {
      const { logMel } = subject.tap;
      const kind = logMel === undefined ? 'features' : 'log-mel';
      const unit = logMel === undefined ? UNITS.features : (`log-mel units of ${round(logMel.decibels)} dB` as const);
      return { ...common, kind, domain: 'feature-space', weighting: null, unit: relative ? UNITS.relative : unit };
    }
    const kind = input?.kind?.$case === 'waveform' ? 'waveform' : 'frames';
    const weighting = weightingOf(budget, input)?.kind ?? null;
    const unit = relative ? UNITS.relative : UNITS[norm === 'l0' ? norm : (weighting ?? kind)];
    return { ...common, kind, domain: kind === 'waveform' ? 'waveform' : 'pixels', weighting, unit };
  });
}

const round = (value: number) => Number(value.toFixed(2));

/** What of a victim these variables are. */
function domainOf(variables: readonly VariableReport[]): DomainName {
  const features = variables.filter(({ domain }) => domain === 'feature-space').length;
  if (features === 0) return 'signal';
  return features === variables.length ? 'feature-space' : 'signal and feature-space';
}

/** The best of several attacks on each clip. */
function ledgerOf({ clean }: JudgedSetting, records: readonly AttackRecord[]): Ledger {
  const ledger = new Ledger(clean.off);
  for (const record of records) recordAll(record, ledger);
  return ledger;
}

const verifiedOf = (records: readonly AttackRecord[]): Verified[] => records.flatMap(({ verified }) => verified);

const costOf = (records: readonly AttackRecord[]) => records.reduce((sum, { cost }) => addCosts(sum, cost), NO_COST);

/** Where a ladder, or a search up to its bound, fails to span the curve. A search looks at every scale below its bound. */
function censoringOf(criticals: CriticalEpsilons, scales: readonly number[], limit: number) {
  return ladderCensoring(criticals, scales.length === 0 ? [0, limit] : scales);
}

/** A headline, or what is left of it where it is withheld. */
function reported(summary: HeadlineSummary, { verdict }: AssessmentReport): HeadlineSummary {
  return verdict === 'withheld' ? { clips: summary.clips, medianCriticalScale: null, robustnessScore: null } : summary;
}

/** A score that does not come from the attacks that were asked for, or is not there, says so. */
function assessmentFlags({ verdict, reason, findings }: AssessmentReport): Flag[] {
  if (verdict !== 'remedied' && verdict !== 'withheld') return [];
  const message = verdict === 'withheld' ? `the robustness score is withheld: ${reason}` : reason;
  return [{ code: verdict, message, count: Math.max(...findings.map(({ clips }) => clips)) }];
}

/** Turns the evidence of one victim under one threat model into figures. Pure and deterministic. */
export function threatModelResult(evidence: Evidence): ThreatModelResult {
  const { victim, threatModel, clean, groups, paired, seed, limit, assessment } = evidence;
  const scales = threatModel.rungs.map((rung) => rung.scale);
  const ledger = ledgerOf(evidence, evidence.attacks);
  const { criticals } = ledger;
  const noiseCriticals = ledgerOf(evidence, evidence.noises).criticals;
  const attacks = evidence.attacks.map((record) => judgeAttack(evidence, record));
  const noises = evidence.noises.map((record) => judgeAttack(evidence, record));
  // Both figures are means over clips, so each clip's own figure is what is resampled.
  const interval = (figure: (one: CriticalEpsilons) => number) =>
    bootstrapInterval({ values: criticals.map((critical) => figure([critical])), groups, seed });
  const rankingAt = (rung: number, records: readonly AttackRecord[]) =>
    attackedRanking(
      verifiedOf(records).filter((one) => one.rung === rung),
      clean,
    );
  const ladder = threatModel.rungs.map((rung, index): LadderRow => {
    const never = rung.stopping === attack.Stopping.STOPPING_NEVER;
    return {
      scale: rung.scale,
      stopping: stoppingName(rung.stopping),
      epsilons: Object.fromEntries(threatModel.variables.map(({ variable, rho }) => [variable, rung.scale * rho])),
      robustAccuracy: robustAccuracy(criticals, rung.scale),
      interval: interval((one) => robustAccuracy(one, rung.scale)),
      noiseAccuracy: robustAccuracy(noiseCriticals, rung.scale),
      ranking: never ? rankingAt(index, evidence.attacks) : null,
      noiseRanking: never ? rankingAt(index, evidence.noises) : null,
    };
  });
  const censoring = censoringOf(criticals, scales, limit);
  const pairedCriticals = paired.map((clip) => criticals[clip] ?? null);
  const cost = {
    attack: costOf(evidence.attacks),
    noise: costOf(evidence.noises),
    verification: evidence.verificationCost,
  };
  const gradient = gradientOf(victim, threatModel);
  const variables = variableReports(threatModel, victim);
  return {
    threatModel: threatModel.name,
    norm: normName(threatModel.norm),
    goal: goalReport(threatModel.goal),
    domain: domainOf(variables),
    variables,
    limit,
    cleanAccuracy: robustAccuracy(criticals, 0),
    gradient,
    ladder,
    criticals: ledger.intervals(evidence.attacks.some(({ attack: one }) => one.model.rungs.length > 0) ? scales : []),
    assessment,
    headline: {
      ...reported(summarise(criticals, limit), assessment),
      interval: assessment.verdict === 'withheld' ? null : interval((one) => robustnessScore(one, limit)),
    },
    quantiles: QUANTILES.map((share) => ({ share, scale: criticalQuantile(criticals, share) })),
    paired:
      pairedCriticals.length === 0
        ? null
        : {
            ...reported(summarise(pairedCriticals, limit), assessment),
            robustAccuracy: scales.map((scale) => robustAccuracy(pairedCriticals, scale)),
          },
    noise: summarise(noiseCriticals, limit),
    noiseCriticals,
    attacks: attacks.map(({ result }) => result),
    noises: noises.map(({ result }) => result),
    collateral: collateralReport(evidence, verifiedOf(evidence.attacks)),
    censoring,
    adversarial: null,
    writeBack: null,
    cost,
    flags: [
      ...assessmentFlags(assessment),
      ...flagsOf({ attacks, noises, criticals, noiseCriticals, scales, limit, censoring, clips: clean.clips }),
      ...gradientFlags(gradient, cost.attack),
    ],
  };
}
