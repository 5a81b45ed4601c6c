import { type attack, score } from '@faultline/contracts';
import type { Candidate } from '../judge/inspect.ts';
import { attackBatch } from '../peers/attack-batch.ts';
import { NO_COST } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import { verifyBatch } from '../peers/verify-batch.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import { withSpan } from '../spans.ts';
import { attackWeight, verifyWeight } from '../work-plan.ts';
import { attackedScore, type CleanClip, cleanScore, type Found } from './clip-score.ts';
import type { Pace } from './pace.ts';
import type { TimeBudget } from './time-budget.ts';

const { SCORE_STATE_NOT_STARTED } = score.ScoreState;

/** What a search works with. */
export interface SearchSetting {
  readonly services: Services;
  readonly budget: TimeBudget;
  readonly pace: Pace;
  readonly adversarial: score.AdversarialReturn;
  /** Share of the search's weight that is done. */
  readonly onProgress: (share: number) => void;
}

/** What a search came to. */
export interface SearchOutcome {
  /** One a clip. */
  readonly scores: readonly score.ClipScore[];
  readonly attackCost: typeof NO_COST;
  readonly verificationCost: typeof NO_COST;
}

/** An estimate may be wrong by this much before a search that would not fit is not even begun. */
const ESTIMATE_TOLERANCE = 1.25;
/** Of the time that is left this share is kept to verify what an attack found. */
const VERIFY_SHARE = 0.15;

const CUT = 'the time ended during the attack: a longer search may find a smaller budget';
const UNVERIFIED = 'the time ended before what the attack found could be verified';

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Attacks a batch of clips of one victim under one threat model, within the time, and verifies what was found. */
export async function searchClips(
  setting: SearchSetting,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  batch: readonly CleanClip[],
): Promise<SearchOutcome> {
  const { budget, pace, adversarial } = setting;
  const weight = attackWeight(victim, threatModel, batch.length) + verifyWeight(victim, threatModel, batch.length);
  const estimate = pace.estimate(victim.name, threatModel.name, weight);
  const left = budget.remainingMs;
  if (left === 0 || (estimate !== undefined && estimate > left * ESTIMATE_TOLERANCE)) {
    const need = estimate === undefined ? '' : `: about ${seconds(estimate)} are needed, ${seconds(left)} were left`;
    const scores = batch.map((clip) =>
      cleanScore(victim, threatModel, clip, SCORE_STATE_NOT_STARTED, `there was no time to attack${need}`),
    );
    return { scores, attackCost: NO_COST, verificationCost: NO_COST };
  }
  const attributes = { 'faultline.victim': victim.name, 'faultline.threat_model': threatModel.name };
  return withSpan('score.attack', attributes, async (span) => {
    const startedAt = performance.now();
    const attacked = await attackWithin(setting, victim, threatModel, batch, left * VERIFY_SHARE);
    const verification = await verifyWithin(setting, victim, threatModel, batch, attacked.candidates);
    const cut = verification === undefined ? UNVERIFIED : attacked.isCut ? CUT : undefined;
    span.setAttribute('faultline.cut_short', cut !== undefined);
    const took = performance.now() - startedAt;
    if (cut === undefined) pace.observe(victim.name, threatModel.name, weight, took);
    else pace.observeUnfinished(victim.name, threatModel.name, weight, took);
    const found = attacked.candidates.flatMap((candidate, index): Found[] => {
      const verified = verification?.verified[index];
      return verified === undefined ? [] : [{ candidate, verified }];
    });
    const scores = batch.map((clip) => {
      const ofClip = found.filter(({ verified }) => verified.clip === clip.index);
      return attackedScore(victim, threatModel, clip, ofClip, cut, adversarial);
    });
    return { scores, attackCost: attacked.cost, verificationCost: verification?.cost ?? NO_COST };
  });
}

/** Candidates of an attack that is stopped when only the time to verify them is left. */
async function attackWithin(
  { services, budget, onProgress }: SearchSetting,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  batch: readonly CleanClip[],
  verifyMs: number,
) {
  const received: Candidate[] = [];
  const stop = budget.isBounded ? budget.earlier(verifyMs) : budget.signal;
  try {
    const listener = { onProgress, onCandidates: (some: readonly Candidate[]) => received.push(...some) };
    const { candidates, cost } = await attackBatch(services, victim, threatModel, batch, listener, stop);
    return { candidates, cost, isCut: false };
  } catch (thrown) {
    if (!stop.aborted || budget.isCancelled) throw thrown;
    return { candidates: received, cost: NO_COST, isCut: true };
  }
}

/** Undefined when the time was not enough. */
async function verifyWithin(
  { services, budget }: SearchSetting,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  batch: readonly CleanClip[],
  candidates: readonly Candidate[],
) {
  try {
    return await withSpan('score.verify', { 'faultline.candidates': candidates.length }, () =>
      verifyBatch(services, victim, threatModel, batch, candidates, budget.signal),
    );
  } catch (thrown) {
    if (!budget.isOver) throw thrown;
    return undefined;
  }
}
