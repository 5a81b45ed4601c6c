import type { ThreatModelResult, TimingsReport } from '@faultline/report';
import type { Candidate } from '../judge/inspect.ts';
import { threatModelResult } from '../judge/threat-model-result.ts';
import type { Verified } from '../judge/verified.ts';
import { writeBackReports } from '../judge/write-back-report.ts';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import type { PlannedAttack, PlannedThreatModel } from '../planning/planned-attacks.ts';
import { assessAttacks } from '../sanity/assess-attacks.ts';
import type { TransferPoints } from '../sanity/transfer-points.ts';
import { withSpan } from '../spans.ts';
import { type AttackPhase, attackPhase } from './attack-phase.ts';
import { BestTensors } from './best-tensors.ts';
import { type CleanPhase, cleanUnder } from './clean-phase.ts';
import { type RunningCampaign, storesBest } from './running-campaign.ts';
import { type WrittenClips, writeBest } from './write-best.ts';

export type AttackTimings = TimingsReport['attacks'][number];

/** One victim after all attacks of a threat model, before anything is judged. */
export interface AttackedVictim {
  readonly phase: CleanPhase;
  readonly threatModel: PlannedThreatModel;
  readonly attacks: readonly AttackPhase[];
  readonly noises: readonly AttackPhase[];
  readonly best: BestTensors;
  readonly durationMs: number;
}

/** Attacks one victim under one threat model, attack by attack, and with equal-norm noise beside them. */
export async function attackVictim(
  running: RunningCampaign,
  phase: CleanPhase,
  threatModel: PlannedThreatModel,
  transfer: TransferPoints,
): Promise<AttackedVictim> {
  const { services, meter, signal, plan, artefacts } = running;
  const { victim, clips } = phase;
  const attributes = { 'faultline.victim': victim.name, 'faultline.threat_model': threatModel.model.name };
  return withSpan('score.attack', attributes, async () => {
    const startedAt = performance.now();
    const best = new BestTensors();
    const offer = (candidate: Candidate, verified: Verified): void => {
      offerTo(running, phase, threatModel, best, candidate, verified);
      transfer.offer(victim, candidate, verified);
    };
    // Side by side, for one computes while the other moves its tensors.
    const [attacks, noises] = await together(signal, (common) => {
      const setting = { services, meter, signal: common };
      const phases = (planned: readonly PlannedAttack[], onVerified: typeof offer) =>
        inTurn(planned, (one) => attackPhase({ ...setting, onVerified }, victim, one, clips));
      return [phases(threatModel.attacks, offer), phases(threatModel.noises, () => {})];
    });
    if (storesBest(plan)) await best.store(artefacts, victim);
    return { phase, threatModel, attacks, noises, best, durationMs: performance.now() - startedAt };
  });
}

/** Assesses what the attacks on a victim are worth, and judges it. */
export async function judgeVictim(
  running: RunningCampaign,
  attacked: AttackedVictim,
  transfer: TransferPoints,
): Promise<{ readonly result: ThreatModelResult; readonly timings: AttackTimings }> {
  const { services, meter, signal, plan, artefacts, paired } = running;
  const { phase, threatModel, attacks, noises, best } = attacked;
  const { victim, clips } = phase;
  const startedAt = performance.now();
  const clean = cleanUnder(phase, threatModel.model.goal);
  meter.begin(0, `${victim.name}: ${threatModel.model.name}: assessment`);
  const assessment = await assessAttacks(
    {
      services,
      victim,
      threatModel,
      clips: clips.filter(({ index }) => clean.off[index] === false),
      transfer,
      onVerified: (candidate, verified) => offerTo(running, phase, threatModel, best, candidate, verified),
      signal,
    },
    attacks,
    noises,
  );
  if (storesBest(plan)) await best.store(artefacts, victim);
  const assessMs = performance.now() - startedAt;
  const files = plan.writeForms.length === 0 ? undefined : await writeFiles(running, attacked);
  const verificationCost = [...attacks, ...noises].reduce(
    (sum, one) => addCosts(sum, one.verificationCost),
    addCosts(assessment.verificationCost, files?.cost ?? NO_COST),
  );
  const result = threatModelResult({
    victim,
    threatModel: threatModel.model,
    clean,
    labels: clips.map(({ labels }) => labels),
    limit: threatModel.limit,
    attacks: [...attacks, ...assessment.records],
    noises,
    groups: plan.clips.map((clip) => clip.groups),
    paired,
    seed: plan.seed,
    assessment: assessment.report,
    verificationCost,
  });
  const milliseconds = (phases: readonly AttackPhase[], of: 'attackMs' | 'verifyMs') =>
    phases.reduce((sum, one) => sum + one[of], 0);
  const timings = {
    victim: victim.name,
    threatModel: threatModel.model.name,
    attackMs: milliseconds(attacks, 'attackMs'),
    noiseMs: milliseconds(noises, 'attackMs'),
    verifyMs: milliseconds([...attacks, ...noises], 'verifyMs'),
    assessMs,
    writeMs: performance.now() - startedAt - assessMs,
    totalMs: attacked.durationMs + performance.now() - startedAt,
  };
  return {
    result: {
      ...result,
      adversarial: plan.keepAdversarial ? best.references(clips.length) : null,
      writeBack: files === undefined ? null : writeBackReports(plan.writeForms, files.written, clips.length),
    },
    timings,
  };
}

/** The best examples of a victim as media files, scored again. */
function writeFiles(
  { services, meter, signal, plan, artefacts }: RunningCampaign,
  { phase: { victim, clips }, threatModel, best }: AttackedVictim,
): Promise<WrittenClips> {
  meter.begin(0, `${victim.name}: ${threatModel.model.name}: files`);
  const writeBack = { forms: plan.writeForms, keepMedia: false };
  return writeBest({ services, victim, threatModel: threatModel.model, writeBack, signal }, clips, best, artefacts);
}

/** Shows a verified point to whoever may keep its tensors. */
function offerTo(
  { keeper, shown, plan }: RunningCampaign,
  phase: CleanPhase,
  threatModel: PlannedThreatModel,
  best: BestTensors,
  candidate: Candidate,
  verified: Verified,
): void {
  if (threatModel === shown) keeper.offer(phase, candidate, verified);
  if (storesBest(plan)) best.offer(candidate, verified);
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
