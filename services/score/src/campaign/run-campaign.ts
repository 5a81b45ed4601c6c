import type { ArtefactStore } from '@faultline/artefacts';
import type { ThreatModelResult, TimingsReport } from '@faultline/report';
import type { InputCache } from '../inputs/input-cache.ts';
import type { Candidate } from '../judge/inspect.ts';
import { threatModelResult } from '../judge/threat-model-result.ts';
import type { Verified } from '../judge/verified.ts';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import type { PlannedAttack, PlannedThreatModel } from '../planning/planned-attacks.ts';
import type { PlannedCampaign } from '../planning/specification.ts';
import { type Example, exampleOf } from '../report/example.ts';
import { type ReportBody, reportBody } from '../report/report-body.ts';
import { withLookupSpan, withSpan } from '../spans.ts';
import { campaignWeight, cleanWeight, prepareWeight } from '../work-plan.ts';
import { type AttackPhase, attackPhase } from './attack-phase.ts';
import { BestTensors } from './best-tensors.ts';
import { type CleanPhase, cleanPhase, cleanUnder } from './clean-phase.ts';
import { ExampleKeeper, shownThreatModel } from './example-keeper.ts';
import { prepareClips } from './prepare-clips.ts';
import { ProgressMeter, type ProgressState } from './progress.ts';

/** What a campaign found. */
export interface CampaignOutcome {
  readonly body: ReportBody;
  readonly timings: TimingsReport;
  /** At most one a victim. */
  readonly examples: readonly Example[];
}

export interface CampaignSurroundings {
  readonly services: Services;
  readonly cache: InputCache;
  readonly artefacts: ArtefactStore;
  readonly onProgress: (state: ProgressState) => void;
  readonly signal: AbortSignal;
}

type AttackTimings = TimingsReport['attacks'][number];

/** State that the phases of one running campaign share. */
interface RunningCampaign extends CampaignSurroundings {
  readonly plan: PlannedCampaign;
  readonly meter: ProgressMeter;
  readonly keeper: ExampleKeeper;
  readonly shown: PlannedThreatModel | undefined;
  /** Clips that every victim gets right when clean. */
  readonly paired: readonly number[];
}

/** Attacks one victim under one threat model, attack by attack, and with equal-norm noise beside them. */
async function attackVictim(
  running: RunningCampaign,
  phase: CleanPhase,
  threatModel: PlannedThreatModel,
): Promise<{ readonly result: ThreatModelResult; readonly timings: AttackTimings }> {
  const { services, meter, signal, keeper, shown, plan } = running;
  const { victim, clips } = phase;
  const attributes = { 'faultline.victim': victim.name, 'faultline.threat_model': threatModel.model.name };
  return withSpan('score.attack', attributes, async () => {
    const startedAt = performance.now();
    const best = new BestTensors();
    const offer = (candidate: Candidate, verified: Verified): void => {
      if (threatModel === shown) keeper.offer(phase, candidate, verified);
      if (plan.keepAdversarial) best.offer(candidate, verified);
    };
    // Side by side, for one computes while the other moves its tensors.
    const [attacks, noises] = await together(signal, (common) => {
      const setting = { services, meter, signal: common };
      const phases = (planned: readonly PlannedAttack[], onVerified: typeof offer) =>
        inTurn(planned, (one) => attackPhase({ ...setting, onVerified }, victim, one, clips));
      return [phases(threatModel.attacks, offer), phases(threatModel.noises, () => {})];
    });
    const all = [...attacks, ...noises];
    const result = threatModelResult({
      victim,
      threatModel: threatModel.model,
      clean: cleanUnder(phase, threatModel.model.goal),
      labels: clips.map(({ labels }) => labels),
      limit: threatModel.limit,
      attacks,
      noises,
      groups: plan.clips.map((clip) => clip.groups),
      paired: running.paired,
      seed: plan.seed,
      verificationCost: all.reduce((sum, one) => addCosts(sum, one.verificationCost), NO_COST),
    });
    const milliseconds = (phases: readonly AttackPhase[], of: 'attackMs' | 'verifyMs') =>
      phases.reduce((sum, one) => sum + one[of], 0);
    const timings = {
      victim: victim.name,
      threatModel: threatModel.model.name,
      attackMs: milliseconds(attacks, 'attackMs'),
      noiseMs: milliseconds(noises, 'attackMs'),
      verifyMs: milliseconds(all, 'verifyMs'),
      totalMs: performance.now() - startedAt,
    };
    const adversarial = plan.keepAdversarial ? await best.store(running.artefacts, victim, clips.length) : null;
    return { result: { ...result, adversarial }, timings };
  });
}

/** Works on items one after another. */
async function inTurn<Item, Result>(
  items: readonly Item[],
  work: (item: Item) => Promise<Result>,
): Promise<readonly Result[]> {
  const results: Result[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** Waits for two works; when one fails, the other is stopped, and has stopped before this throws. */
async function together<First, Second>(
  signal: AbortSignal,
  start: (signal: AbortSignal) => [Promise<First>, Promise<Second>],
): Promise<[First, Second]> {
  const failure = new AbortController();
  const works = start(AbortSignal.any([signal, failure.signal]));
  try {
    return await Promise.all(works);
  } catch (thrown) {
    failure.abort(thrown);
    await Promise.allSettled(works);
    throw thrown;
  }
}

/** Runs work and says how long it took. */
async function timed<Result>(work: () => Promise<Result>): Promise<[result: Result, durationMs: number]> {
  const startedAt = performance.now();
  const result = await work();
  return [result, performance.now() - startedAt];
}

/**
 * Runs a planned campaign: extract, predict clean, attack, verify, judge. Victims run one after another.
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
  const results = new Map<CleanPhase, ThreatModelResult[]>();
  const attacks: AttackTimings[] = [];
  for (const phase of phases) {
    const ofVictim: ThreatModelResult[] = [];
    for (const threatModel of plan.threatModels) {
      const { result, timings } = await attackVictim(running, phase, threatModel);
      ofVictim.push(result);
      attacks.push(timings);
    }
    results.set(phase, ofVictim);
  }
  signal.throwIfAborted();
  const { shown } = running;
  const kept = shown === undefined ? [] : running.keeper.choose(plan.victims.map((victim) => victim.name));
  return {
    body: reportBody(plan, results),
    timings: { totalMs: performance.now() - startedAt, prepareMs, clean, attacks },
    examples: kept.flatMap((example) => {
      const phase = phases.find((one) => one.victim.name === example.victim);
      return phase === undefined || shown === undefined ? [] : [exampleOf(phase, shown.model, example)];
    }),
  };
}
