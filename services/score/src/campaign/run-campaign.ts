import type { ThreatModelResult, TimingsReport, UniversalResult } from '@faultline/report';
import type { PlannedCampaign } from '../planning/specification.ts';
import { type Example, exampleOf } from '../report/example.ts';
import { type ReportBody, reportBody } from '../report/report-body.ts';
import { TransferPoints } from '../sanity/transfer-points.ts';
import { withLookupSpan, withSpan } from '../spans.ts';
import { campaignWeight, cleanWeight, prepareWeight } from '../work-plan.ts';
import { type AttackedVictim, type AttackTimings, attackVictim, judgeVictim } from './attack-victim.ts';
import { type CleanPhase, cleanPhase } from './clean-phase.ts';
import { ExampleKeeper, shownClips, shownThreatModel } from './example-keeper.ts';
import { prepareClips } from './prepare-clips.ts';
import { ProgressMeter } from './progress.ts';
import type { CampaignSurroundings, RunningCampaign } from './running-campaign.ts';
import { universalVictim } from './universal-victim.ts';

/** What a campaign found. */
export interface CampaignOutcome {
  readonly body: ReportBody;
  readonly timings: TimingsReport;
  /** At most one a victim. */
  readonly examples: readonly Example[];
}

/** Runs work and says how long it took. */
async function timed<Result>(work: () => Promise<Result>): Promise<[result: Result, durationMs: number]> {
  const startedAt = performance.now();
  const result = await work();
  return [result, performance.now() - startedAt];
}

/**
 * Runs a planned campaign: extract, predict clean; then, threat model by threat model, attack and verify victim after victim, assess the attacks, and judge; perturbations for
 * all clips come last.
 * @throws FaultlineError that names what failed; the signal's reason when cancelled.
 */
export async function runCampaign(plan: PlannedCampaign, around: CampaignSurroundings): Promise<CampaignOutcome> {
  const { services, cache, onProgress, signal } = around;
  const startedAt = performance.now();
  const meter = new ProgressMeter(campaignWeight(plan), onProgress);
  const preparing = meter.begin(prepareWeight(plan.clips.length), 'extracting clips');
  let extracted = 0;
  const onClip = (): void => {
    extracted += 1;
    preparing.advance(extracted / plan.clips.length);
  };
  const [prepared, prepareMs] = await timed(() =>
    withLookupSpan('score.prepare', { 'faultline.clips': plan.clips.length }, cache, (lookup) =>
      prepareClips(plan, services, lookup, onClip, signal),
    ),
  );
  const phases: CleanPhase[] = [];
  const clean: { victim: string; durationMs: number }[] = [];
  for (const [victim, clips] of prepared) {
    const work = meter.begin(cleanWeight(victim, clips.length), `${victim.name}: clean`);
    const [phase, durationMs] = await timed(() =>
      withSpan('score.clean', { 'faultline.victim': victim.name }, () => cleanPhase(services, victim, clips, signal)),
    );
    work.done();
    phases.push(phase);
    clean.push({ victim: victim.name, durationMs });
  }
  const running: RunningCampaign = {
    ...around,
    plan,
    meter,
    keeper: new ExampleKeeper(phases),
    shown: shownThreatModel(plan.threatModels, phases),
    paired: plan.clips
      .keys()
      .filter((clip) => phases.every((phase) => phase.run.off[clip] === false))
      .toArray(),
  };
  const results = new Map(phases.map((phase) => [phase, [] as ThreatModelResult[]]));
  const attacks: AttackTimings[] = [];
  for (const threatModel of plan.threatModels) {
    const transfer = new TransferPoints(shownClips(phases));
    const attacked: AttackedVictim[] = [];
    for (const phase of phases) attacked.push(await attackVictim(running, phase, threatModel, transfer));
    // After all of them, so that each victim is tried with the points made against every other.
    for (const one of attacked) {
      const { result, timings } = await judgeVictim(running, one, transfer);
      results.get(one.phase)?.push(result);
      attacks.push(timings);
    }
  }
  const universals = new Map(phases.map((phase) => [phase, [] as UniversalResult[]]));
  for (const planned of plan.universals) {
    for (const phase of phases) universals.get(phase)?.push(await universalVictim(running, phase, planned));
  }
  signal.throwIfAborted();
  const { shown } = running;
  const kept = shown === undefined ? [] : running.keeper.choose(plan.victims.map((victim) => victim.name));
  return {
    body: reportBody(plan, results, universals),
    timings: { totalMs: performance.now() - startedAt, prepareMs, clean, attacks },
    examples: kept.flatMap((example) => {
      const phase = phases.find((one) => one.victim.name === example.victim);
      return phase === undefined || shown === undefined ? [] : [exampleOf(phase, shown.model, example)];
    }),
  };
}
