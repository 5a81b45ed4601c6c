import type { attack } from '@faultline/contracts';
import type { CostReport } from '@faultline/report';
import type { Candidate } from '../judge/inspect.ts';
import type { Verified } from '../judge/verified.ts';
import { attackBatch } from '../peers/attack-batch.ts';
import { attackClips, cut } from '../peers/batches.ts';
import { withCleanTaps } from '../peers/clean-taps.ts';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import { verifyBatch } from '../peers/verify-batch.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { NOISE_ATTACK, type PlannedAttack } from '../planning/planned-attacks.ts';
import { withSpan } from '../spans.ts';
import { attackWeight, verifyWeight } from '../work-plan.ts';
import type { PreparedClip } from './clean-phase.ts';
import type { ProgressMeter } from './progress.ts';

/** What one attack on one victim came to. */
export interface AttackPhase {
  readonly attack: PlannedAttack;
  readonly verified: readonly Verified[];
  /** Of a search: by clip, the largest scale below its success that was tried without. */
  readonly failedScales: ReadonlyMap<number, number>;
  readonly evidence: readonly attack.ExampleEvidence[];
  readonly cost: CostReport;
  readonly verificationCost: CostReport;
  readonly attackMs: number;
  readonly verifyMs: number;
}

/** What an attack phase works with. */
export interface AttackSetting {
  readonly services: Services;
  readonly meter: ProgressMeter;
  readonly signal: AbortSignal;
  /** Sees every verified candidate with its tensors, in a fixed order. */
  readonly onVerified: (candidate: Candidate, verified: Verified) => void;
}

/**
 * Attacks all clips in batches, one attack in flight at a time; each batch is verified while the next is attacked.
 * @throws FaultlineError naming victim and service when either fails.
 */
export async function attackPhase(
  setting: AttackSetting,
  victim: VictimUnderTest,
  planned: PlannedAttack,
  clips: readonly PreparedClip[],
): Promise<AttackPhase> {
  const { services, meter, onVerified } = setting;
  const { model } = planned;
  // When an attack or a verification fails, the other one that runs beside it must stop too.
  const failure = new AbortController();
  const signal = AbortSignal.any([setting.signal, failure.signal]);
  const verified: Verified[] = [];
  const failedScales = new Map<number, number>();
  const evidence: attack.ExampleEvidence[] = [];
  let cost = NO_COST;
  let verificationCost = NO_COST;
  let attackMs = 0;
  let verifyMs = 0;
  const verify = (batch: readonly PreparedClip[], candidates: readonly Candidate[]): Promise<void> =>
    withSpan('score.verify', { 'faultline.candidates': candidates.length }, async () => {
      const work = meter.begin(verifyWeight(victim, planned, batch.length));
      const startedAt = performance.now();
      const verification = await verifyBatch(services, victim, model, batch, candidates, signal);
      for (const [index, one] of verification.verified.entries()) {
        const candidate = candidates[index];
        if (candidate !== undefined) onVerified(candidate, one);
      }
      verified.push(...verification.verified);
      verificationCost = addCosts(verificationCost, verification.cost);
      verifyMs += performance.now() - startedAt;
      work.done();
    });
  let verifying: Promise<void> = Promise.resolve();
  try {
    for (const batch of cut(clips, attackClips(victim, model.rungs.length))) {
      const work = meter.begin(
        attackWeight(victim, planned, batch.length),
        model.attack === NOISE_ATTACK ? undefined : `${victim.name}: ${model.name}`,
      );
      const startedAt = performance.now();
      const attackKnown = async () => {
        const known = await withCleanTaps(services, victim, model, batch, signal);
        return {
          known,
          outcome: await attackBatch(services, victim, model, known, { onProgress: work.advance }, signal),
        };
      };
      const attacking = attackKnown().finally(() => {
        attackMs += performance.now() - startedAt;
      });
      const [{ known, outcome }] = await Promise.all([attacking, verifying]);
      cost = addCosts(cost, outcome.cost);
      for (const [clip, scale] of outcome.failedScales) failedScales.set(clip, scale);
      evidence.push(...outcome.evidence);
      work.done();
      verifying = verify(known, outcome.candidates);
    }
    await verifying;
  } catch (thrown) {
    failure.abort(thrown);
    await Promise.allSettled([verifying]);
    throw thrown;
  }
  return { attack: planned, verified, failedScales, evidence, cost, verificationCost, attackMs, verifyMs };
}
