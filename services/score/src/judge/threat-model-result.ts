import { attack } from '@faultline/contracts';
import {
  bootstrapInterval,
  type CriticalEpsilons,
  ladderCensoring,
  medianCritical,
  robustAccuracy,
  robustnessScore,
} from '@faultline/metrics';
import type {
  CostReport,
  LadderRow,
  RawRung,
  RobustnessSummary,
  ThreatModelResult,
  VariableReport,
} from '@faultline/report';
import { normOf } from '@faultline/victim';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { CleanRun } from './clean-run.ts';
import { flagsOf } from './flags.ts';
import { gradientFlags, gradientOf } from './gradient.ts';
import { Ledger } from './ledger.ts';
import { normName, stoppingName } from './names.ts';
import { rawRung } from './raw-rung.ts';
import type { Verified } from './verified.ts';

/** Everything that was measured for one victim under one threat model. */
export interface Evidence {
  readonly victim: VictimUnderTest;
  readonly threatModel: attack.ThreatModel;
  readonly clean: CleanRun;
  /** Verified candidates of the attack, any order. */
  readonly attack: readonly Verified[];
  /** Verified candidates of equal-norm noise, any order. */
  readonly noise: readonly Verified[];
  /** Independence groups of each clip. */
  readonly groups: readonly (readonly string[])[];
  /** Clips that every victim of the campaign gets right when clean. */
  readonly paired: readonly number[];
  readonly seed: number;
  readonly cost: { readonly attack: CostReport; readonly noise: CostReport; readonly verification: CostReport };
}

/** The variables of a threat model with their units, as the victim's card gives them. */
export function variableReports(threatModel: attack.ThreatModel, victim: VictimUnderTest): VariableReport[] {
  return threatModel.variables.map((budget) => {
    const { variable, rho, frames } = budget;
    const norm = normName(normOf(threatModel, budget));
    const input = victim.card.inputs.find((one) => one.name === variable);
    const isWaveform = input?.kind?.$case === 'waveform';
    return {
      variable,
      kind: isWaveform ? 'waveform' : 'frames',
      norm,
      perFrame: frames !== undefined,
      rho,
      unit: norm === 'l0' ? 'coordinates' : isWaveform ? 'amplitude in [-1, 1]' : 'pixels in [0, 1]',
    };
  });
}

interface Curve {
  readonly ledger: Ledger;
  /** One a rung. */
  readonly raw: readonly RawRung[];
}

/** Files all candidates of one attack, rung by rung upwards. */
function curveOf(evidence: Evidence, candidates: readonly Verified[]): Curve {
  const { threatModel, clean } = evidence;
  const variables = threatModel.variables.map((one) => one.variable);
  const ledger = new Ledger(clean.off);
  const reachedBelow = new Set<number>();
  const raw = threatModel.rungs.map((rung, index) => {
    const here = candidates.filter((one) => one.rung === index).toSorted((a, b) => a.clip - b.clip);
    const figures = rawRung(rung, here, reachedBelow, variables, clean);
    for (const one of here.filter((candidate) => candidate.verdict === 'reached')) {
      ledger.record(one.clip, rung.scale);
      reachedBelow.add(one.clip);
    }
    return figures;
  });
  return { ledger, raw };
}

function summarise(criticals: CriticalEpsilons, limit: number): RobustnessSummary {
  return {
    clips: criticals.length,
    medianCriticalScale: medianCritical(criticals),
    robustnessScore: robustnessScore(criticals, limit),
  };
}

function missingCandidates(threatModel: attack.ThreatModel, raw: readonly RawRung[], clips: number): number {
  return threatModel.rungs.reduce((sum, rung, index) => {
    const never = rung.stopping === attack.Stopping.STOPPING_NEVER;
    return sum + (never ? clips - (raw[index]?.candidates ?? 0) : 0);
  }, 0);
}

/** Turns the evidence of one victim under one threat model into figures. Pure and deterministic. */
export function threatModelResult(evidence: Evidence): ThreatModelResult {
  const { victim, threatModel, clean, groups, paired, seed } = evidence;
  const scales = threatModel.rungs.map((rung) => rung.scale);
  const limit = scales.at(-1) ?? Number.NaN;
  const attacked = curveOf(evidence, evidence.attack);
  const noise = curveOf(evidence, evidence.noise);
  const { criticals } = attacked.ledger;
  const pick = (clips: readonly number[]): (number | null)[] => clips.map((clip) => criticals[clip] ?? null);
  // Both figures are means over clips, so each clip's own figure is what is resampled.
  const interval = (figure: (one: CriticalEpsilons) => number) =>
    bootstrapInterval({ values: criticals.map((critical) => figure([critical])), groups, seed });
  const ladder = threatModel.rungs.flatMap((rung, index): LadderRow[] => {
    const [attackRaw, noiseRaw] = [attacked.raw[index], noise.raw[index]];
    if (attackRaw === undefined || noiseRaw === undefined) return [];
    return [
      {
        scale: rung.scale,
        stopping: stoppingName(rung.stopping),
        epsilons: Object.fromEntries(threatModel.variables.map(({ variable, rho }) => [variable, rung.scale * rho])),
        robustAccuracy: robustAccuracy(criticals, rung.scale),
        interval: interval((one) => robustAccuracy(one, rung.scale)),
        attack: attackRaw,
        noise: { ...noiseRaw, robustAccuracy: robustAccuracy(noise.ledger.criticals, rung.scale) },
      },
    ];
  });
  const censoring = ladderCensoring(criticals, scales);
  const pairedCriticals = pick(paired);
  return {
    threatModel: threatModel.name,
    norm: normName(threatModel.norm),
    variables: variableReports(threatModel, victim),
    limit,
    gradient: gradientOf(victim, threatModel),
    ladder,
    criticals: attacked.ledger.intervals(scales),
    headline: { ...summarise(criticals, limit), interval: interval((one) => robustnessScore(one, limit)) },
    paired:
      pairedCriticals.length === 0
        ? null
        : {
            ...summarise(pairedCriticals, limit),
            robustAccuracy: scales.map((scale) => robustAccuracy(pairedCriticals, scale)),
          },
    noise: summarise(noise.ledger.criticals, limit),
    censoring,
    adversarial: null,
    cost: evidence.cost,
    flags: [
      ...flagsOf(ladder, censoring, missingCandidates(threatModel, attacked.raw, clean.clips)),
      ...gradientFlags(gradientOf(victim, threatModel), evidence.cost.attack),
    ],
  };
}
