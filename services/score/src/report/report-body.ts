import { availableParallelism, cpus } from 'node:os';
import { attack, victim as card } from '@faultline/contracts';
import {
  type EnvironmentReport,
  type FusionName,
  REPORT_SCHEMA_VERSION,
  type Report,
  type ThreatModelResult,
  type TradeOffRow,
  type UniversalResult,
  type VictimReport,
} from '@faultline/report';
import type { CleanPhase } from '../campaign/clean-phase.ts';
import { compareVictims, uncomparedResults } from '../judge/comparisons.ts';
import { goalReport } from '../judge/goal.ts';
import { gradientReport } from '../judge/gradient.ts';
import { normName, stoppingName } from '../judge/names.ts';
import { attackReport } from '../planning/planned-attacks.ts';
import type { PlannedCampaign } from '../planning/specification.ts';
import { universalModelReport } from '../universal/planned-universal.ts';

/** A report without what only the service knows: identifiers, dates, durations. */
export type ReportBody = Omit<Report, 'run' | 'timings'>;

const FUSION_NAMES: Readonly<Record<number, FusionName>> = {
  [card.FusionVariant.FUSION_VARIANT_EARLY]: 'early',
  [card.FusionVariant.FUSION_VARIANT_MID]: 'mid',
  [card.FusionVariant.FUSION_VARIANT_LATE]: 'late',
  [card.FusionVariant.FUSION_VARIANT_DECISION]: 'decision',
  [card.FusionVariant.FUSION_VARIANT_AUDIO_ONLY]: 'audio-only',
  [card.FusionVariant.FUSION_VARIANT_VISUAL_ONLY]: 'visual-only',
};

function environment(): EnvironmentReport {
  return {
    node: process.versions.node,
    platform: process.platform,
    architecture: process.arch,
    cpuModel: cpus()[0]?.model ?? 'unknown',
    cpus: availableParallelism(),
  };
}

function victimReport(
  phase: CleanPhase,
  threatModels: readonly ThreatModelResult[],
  universals: readonly UniversalResult[],
): VictimReport {
  const { victim, run } = phase;
  return {
    name: victim.name,
    title: victim.card.title,
    fusion: FUSION_NAMES[victim.card.fusion] ?? 'unspecified',
    parameters: victim.card.parameters,
    macs: victim.card.macs,
    sha256: victim.card.sha256,
    runtime: victim.runtime,
    threads: victim.threads,
    gradient: gradientReport(victim),
    operatingPoint: victim.card.operatingPoint,
    labels: victim.card.labels.map(({ label, threshold }) => ({ label, threshold })),
    logitScale: victim.card.logitScale,
    tau: victim.tau,
    clean: phase.figures,
    cleanByStratum: phase.byStratum,
    cleanMargins: run.margins,
    fusionCheck: phase.fusionCheck,
    threatModels,
    universals,
  };
}

function tradeOffRow(victim: VictimReport, result: ThreatModelResult): TradeOffRow {
  return {
    victim: victim.name,
    fusion: victim.fusion,
    parameters: victim.parameters,
    macs: victim.macs,
    cleanMap: victim.clean.meanAveragePrecision,
    cleanAccuracy: result.cleanAccuracy,
    threatModel: result.threatModel,
    norm: result.norm,
    domain: result.domain,
    variables: result.variables.map((one) => one.variable),
    ladder: result.ladder.map((row) => ({
      scale: row.scale,
      epsilons: row.epsilons,
      robustAccuracy: row.robustAccuracy,
      noiseAccuracy: row.noiseAccuracy,
      robustMap: row.ranking?.meanAveragePrecision ?? null,
      noiseMap: row.noiseRanking?.meanAveragePrecision ?? null,
    })),
    quantiles: result.quantiles,
    noiseMedian: result.noise.medianCriticalScale,
    medianCriticalScale: result.headline.medianCriticalScale,
    limit: result.limit,
    verdict: result.assessment.verdict,
    robustnessScore: result.headline.robustnessScore,
    robustnessInterval: result.headline.interval,
    censoring: result.censoring,
    flags: result.flags.length,
  };
}

/** Puts a campaign's findings in the report's shape and order: victims as asked, threat models as asked. */
export function reportBody(
  plan: PlannedCampaign,
  results: ReadonlyMap<CleanPhase, readonly ThreatModelResult[]>,
  universals: ReadonlyMap<CleanPhase, readonly UniversalResult[]>,
): ReportBody {
  const victims = results
    .entries()
    .map(([phase, ofVictim]) => victimReport(phase, ofVictim, universals.get(phase) ?? []))
    .toArray();
  return {
    schemaVersion: REPORT_SCHEMA_VERSION,
    campaign: {
      name: plan.name,
      seed: plan.seed,
      victims: plan.victims.map((victim) => victim.name),
      threatModels: plan.threatModels.map(({ model, attacks, noises, limit }) => ({
        name: model.name,
        norm: normName(model.norm),
        goal: goalReport(model.goal),
        attacks: attacks.map(attackReport),
        noises: noises.map(attackReport),
        seed: model.seed,
        limit,
        variables: model.variables.map(({ variable, rho, region, ...own }) => ({
          variable,
          rho,
          region: region === undefined ? null : attack.Region.toJSON(region),
          own: attack.VariableBudget.toJSON({ ...own, variable: '', rho: 0, region: undefined }),
        })),
        rungs: model.rungs.map(({ scale, stopping }) => ({ scale, stopping: stoppingName(stopping) })),
      })),
      universals: plan.universals.map(universalModelReport),
      clipSet: {
        name: plan.clipSet.name,
        version: plan.clipSet.version,
        clips: plan.clips.map(({ id, sha256, labels, stratum, agree }) => ({ id, sha256, labels, stratum, agree })),
      },
    },
    environment: environment(),
    tradeOff: victims.flatMap((victim) => victim.threatModels.map((result) => tradeOffRow(victim, result))),
    victims,
    comparisons: compareVictims(
      victims,
      plan.threatModels.map(({ model }) => model.name),
      plan.clips.map(({ groups }) => groups),
      plan.seed,
    ),
    uncompared: uncomparedResults(victims),
  };
}
