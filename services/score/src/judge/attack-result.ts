import type { attack } from '@faultline/contracts';
import { type CriticalEpsilons, medianCritical, robustAccuracy, robustnessScore } from '@faultline/metrics';
import type { AttackResult, CollateralReport, CostReport, RawRung, RobustnessSummary } from '@faultline/report';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { attackReport, type PlannedAttack, searches } from '../planning/planned-attacks.ts';
import type { CleanRun } from './clean-run.ts';
import { evidenceReport } from './evidence-report.ts';
import { collateralOf } from './goal.ts';
import { Ledger } from './ledger.ts';
import { candidateCounts, rawRung } from './raw-rung.ts';
import type { Verified } from './verified.ts';

/** What one attack on one victim left. */
export interface AttackRecord {
  readonly attack: PlannedAttack;
  /** Its candidates, verified, any order. */
  readonly verified: readonly Verified[];
  /** Of a search: by clip, the largest scale below its success that was tried without. */
  readonly failedScales: ReadonlyMap<number, number>;
  readonly evidence: readonly attack.ExampleEvidence[];
  readonly cost: CostReport;
}

/** What all attacks of a threat model are judged by. */
export interface JudgedSetting {
  readonly victim: VictimUnderTest;
  readonly threatModel: attack.ThreatModel;
  readonly clean: CleanRun;
  /** True labels of each clip. */
  readonly labels: readonly (readonly string[])[];
  /** E. */
  readonly limit: number;
}

/** One attack by itself. */
export interface JudgedAttack {
  readonly result: AttackResult;
  readonly criticals: CriticalEpsilons;
}

/** Figures of a set of clips. */
export function summarise(criticals: CriticalEpsilons, limit: number): RobustnessSummary {
  return {
    clips: criticals.length,
    medianCriticalScale: medianCritical(criticals),
    robustnessScore: robustnessScore(criticals, limit),
  };
}

/** Files one attack's successes under its name, the smallest budgets first. */
export function recordAll({ attack, verified, failedScales }: AttackRecord, ledger: Ledger): void {
  for (const one of verified.filter(({ verdict }) => verdict === 'reached').toSorted((a, b) => a.scale - b.scale)) {
    ledger.record(one.clip, one.scale, attack.name);
  }
  ledger.recordFailures(failedScales);
}

/** The verified success of smallest budget of each clip. */
export function bestSuccesses(verified: readonly Verified[]): Verified[] {
  const best = new Map<number, Verified>();
  for (const one of verified) {
    if (one.verdict === 'reached' && one.scale < (best.get(one.clip)?.scale ?? Number.POSITIVE_INFINITY)) {
      best.set(one.clip, one);
    }
  }
  return [...best.values()];
}

/** Label changes beside the goal's, over the smallest verified successes. */
export function collateralReport(
  { victim, threatModel, clean, labels }: JudgedSetting,
  verified: readonly Verified[],
): CollateralReport {
  const changes = bestSuccesses(verified).flatMap(({ clip, logits }) => {
    if (logits === undefined || clean.off[clip] === true) return [];
    const before = clean.logits.subarray(clip * clean.labels, (clip + 1) * clean.labels);
    return [collateralOf(victim, threatModel.goal, before, logits, labels[clip] ?? [])];
  });
  return {
    clips: changes.length,
    changed: changes.filter(({ turnedOff, turnedOn }) => turnedOff.length + turnedOn.length > 0).length,
    turnedOff: changes.reduce((sum, { turnedOff }) => sum + turnedOff.length, 0),
    turnedOn: changes.reduce((sum, { turnedOn }) => sum + turnedOn.length, 0),
  };
}

/** Judges one attack by its own candidates alone. */
export function judgeAttack(setting: JudgedSetting, record: AttackRecord): JudgedAttack {
  const { victim, threatModel, clean, limit } = setting;
  const { attack: planned, verified, evidence, cost } = record;
  const variables = threatModel.variables.map((one) => one.variable);
  const ledger = new Ledger(clean.off);
  recordAll(record, ledger);
  const { criticals } = ledger;
  const { rungs } = planned.model;
  return {
    criticals,
    result: {
      ...attackReport(planned),
      summary: summarise(criticals, limit),
      robustAccuracy: threatModel.rungs.map(({ scale }) => robustAccuracy(criticals, scale)),
      rungs: rawRungs(rungs, verified, variables, clean),
      search: searches(planned) ? candidateCounts(verified, variables) : null,
      evidence: evidenceReport({
        examples: evidence,
        rungs: rungs.length,
        clips: clean.clips,
        verified: smallestRungs(verified),
        reachedWhenClean: new Set(clean.off.keys().filter((clip) => clean.off[clip] === true)),
        tau: victim.tau,
        limit,
      }),
      collateral: collateralReport(setting, verified),
      cost,
    },
  };
}

/** By clip, the smallest rung with a verified success; 0 of a search. */
function smallestRungs(verified: readonly Verified[]): ReadonlyMap<number, number> {
  return new Map(bestSuccesses(verified).map(({ clip, rung }) => [clip, rung ?? 0]));
}

/** What the candidates were, rung by rung upwards. */
function rawRungs(
  rungs: readonly attack.Rung[],
  verified: readonly Verified[],
  variables: readonly string[],
  clean: CleanRun,
): RawRung[] {
  const reachedBelow = new Set<number>();
  return rungs.map((rung, index) => {
    const here = verified.filter((one) => one.rung === index).toSorted((a, b) => a.clip - b.clip);
    const figures = rawRung(rung, here, reachedBelow, variables, clean);
    for (const one of here) if (one.verdict === 'reached') reachedBelow.add(one.clip);
    return figures;
  });
}
