import { score } from '@faultline/contracts';
import type { AttackRecord } from '../judge/attack-result.ts';
import type { Candidate } from '../judge/inspect.ts';
import type { Verified } from '../judge/verified.ts';
import { attackBatch } from '../peers/attack-batch.ts';
import { withCleanTaps } from '../peers/clean-taps.ts';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import { verifyBatch } from '../peers/verify-batch.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { PlannedAttack, PlannedThreatModel } from '../planning/planned-attacks.ts';
import { assessAttacks } from '../sanity/assess-attacks.ts';
import { followsGradients } from '../sanity/clip-evidence.ts';
import { withSpan } from '../spans.ts';
import { attackWeight, verifyWeight } from '../work-plan.ts';
import { type WriteBack, type WrittenExamples, writeBackClip } from '../write-back/write-back.ts';
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
  readonly writeBack: WriteBack;
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
const UNWRITTEN = 'the time ended before all files were written and scored';

function seconds(milliseconds: number): string {
  return `${(milliseconds / 1000).toFixed(1)} s`;
}

/** Work of all attacks of a threat model on some clips, and of their verification. */
export function searchWeight(victim: VictimUnderTest, { attacks }: PlannedThreatModel, clips: number): number {
  return attacks.reduce((sum, one) => sum + attackWeight(victim, one, clips) + verifyWeight(victim, one, clips), 0);
}

/** What one attack on a batch came to. */
interface AttackOutcome extends Awaited<ReturnType<typeof attackWithin>> {
  readonly attack: PlannedAttack;
  readonly verification: Awaited<ReturnType<typeof verifyWithin>>;
}

/** Attacks a batch of clips of one victim under one threat model, within the time, and verifies what was found. */
export async function searchClips(
  setting: SearchSetting,
  victim: VictimUnderTest,
  threatModel: PlannedThreatModel,
  batch: readonly CleanClip[],
): Promise<SearchOutcome> {
  const { budget, pace, adversarial, onProgress } = setting;
  const { name } = threatModel.model;
  const weight = searchWeight(victim, threatModel, batch.length);
  const estimate = pace.estimate(victim.name, name, weight);
  const left = budget.remainingMs;
  if (left === 0 || (estimate !== undefined && estimate > left * ESTIMATE_TOLERANCE)) {
    const need = estimate === undefined ? '' : `: about ${seconds(estimate)} are needed, ${seconds(left)} were left`;
    const scores = batch.map((clip) =>
      cleanScore(victim, threatModel, clip, SCORE_STATE_NOT_STARTED, `there was no time to attack${need}`),
    );
    return { scores, attackCost: NO_COST, verificationCost: NO_COST };
  }
  const attributes = { 'faultline.victim': victim.name, 'faultline.threat_model': name };
  return withSpan('score.attack', attributes, async (span) => {
    const startedAt = performance.now();
    const outcomes: AttackOutcome[] = [];
    for (const [index, one] of threatModel.attacks.entries()) {
      // Once the time is up for one attack it is so for those after it.
      if (index > 0 && (budget.remainingMs === 0 || cutOf(outcomes) !== undefined)) break;
      const share = (done: number) => onProgress((index + done) / threatModel.attacks.length);
      const verifyMs = budget.remainingMs * VERIFY_SHARE;
      const attacked = await attackWithin({ ...setting, onProgress: share }, victim, one, batch, verifyMs);
      const verification = await verifyWithin(setting, victim, one, attacked.batch, attacked.candidates);
      outcomes.push({ ...attacked, attack: one, verification });
    }
    const cut = cutOf(outcomes) ?? (outcomes.length < threatModel.attacks.length ? CUT : undefined);
    span.setAttribute('faultline.cut_short', cut !== undefined);
    const scores: score.ClipScore[] = [];
    const assessed = cut === undefined ? await assessWithin(setting, victim, threatModel, batch, outcomes) : undefined;
    let verificationCost = outcomes.reduce(
      (sum, one) => addCosts(sum, one.verification?.cost ?? NO_COST),
      assessed?.verificationCost ?? NO_COST,
    );
    for (const clip of batch) {
      const attacked = findingsOf(clip, outcomes);
      const own = assessed?.found.filter(({ verified }) => verified.clip === clip.index) ?? [];
      const findings = { ...attacked, found: [...attacked.found, ...own], assessment: assessed?.report };
      const files = await writeWithin(setting, victim, threatModel, clip, findings.found);
      const unwritten = files === undefined ? UNWRITTEN : undefined;
      const one = attackedScore(victim, threatModel, clip, { ...findings, cut: cut ?? unwritten }, adversarial);
      scores.push({ ...one, written: [...(files?.written ?? [])] });
      verificationCost = addCosts(verificationCost, files?.cost ?? NO_COST);
    }
    const took = performance.now() - startedAt;
    if (cut === undefined) pace.observe(victim.name, name, weight, took);
    else pace.observeUnfinished(victim.name, name, weight, took);
    return {
      scores,
      attackCost: outcomes.reduce((sum, { cost }) => addCosts(sum, cost), assessed?.noiseCost ?? NO_COST),
      verificationCost,
    };
  });
}

/** Why attacks were cut short; undefined: none was. */
function cutOf(outcomes: readonly AttackOutcome[]): string | undefined {
  if (outcomes.some(({ verification }) => verification === undefined)) return UNVERIFIED;
  return outcomes.some(({ isCut }) => isCut) ? CUT : undefined;
}

/** What all attacks found on one clip. */
function findingsOf({ index: clip }: CleanClip, outcomes: readonly AttackOutcome[]) {
  return {
    found: outcomes.flatMap(({ attack: { name }, candidates, verification }) =>
      candidates.flatMap((candidate, index): Found[] => {
        const verified = verification?.verified[index];
        return verified === undefined || verified.clip !== clip ? [] : [{ attack: name, candidate, verified }];
      }),
    ),
    failedScales: outcomes.flatMap(({ failedScales }) => failedScales.get(clip) ?? []),
    evidence: outcomes.flatMap(({ attack: { name }, evidence }) => {
      const examples = evidence.filter((one) => one.clip === clip);
      return examples.length === 0 ? [] : [{ attack: name, examples }];
    }),
  };
}

/** Candidates of an attack that is stopped when only the time to verify them is left. */
async function attackWithin(
  { services, budget, onProgress }: SearchSetting,
  victim: VictimUnderTest,
  { model }: PlannedAttack,
  batch: readonly CleanClip[],
  verifyMs: number,
) {
  let known = batch;
  const received: Candidate[] = [];
  const stop = budget.isBounded ? budget.earlier(verifyMs) : budget.signal;
  try {
    const listener = { onProgress, onCandidates: (some: readonly Candidate[]) => received.push(...some) };
    known = await withCleanTaps(services, victim, model, batch, stop);
    return { ...(await attackBatch(services, victim, model, known, listener, stop)), batch: known, isCut: false };
  } catch (thrown) {
    if (!stop.aborted || budget.isCancelled) throw thrown;
    return {
      candidates: received,
      failedScales: new Map<number, number>(),
      evidence: [],
      cost: NO_COST,
      batch: known,
      isCut: true,
    };
  }
}

/** Undefined when the time was not enough. */
async function verifyWithin(
  { services, budget }: SearchSetting,
  victim: VictimUnderTest,
  { model }: PlannedAttack,
  batch: readonly CleanClip[],
  candidates: readonly Candidate[],
) {
  try {
    return await withSpan('score.verify', { 'faultline.candidates': candidates.length }, () =>
      verifyBatch(services, victim, model, batch, candidates, budget.signal),
    );
  } catch (thrown) {
    if (!budget.isOver) throw thrown;
    return undefined;
  }
}

/**
 * Equal-norm noise beside attacks that follow gradients, verified: where it needs less than they do, they have failed. It takes forward passes alone; beside attacks that follow none
 * there is nothing to be told by it.
 */
async function noisesBeside(
  { services, budget }: SearchSetting,
  victim: VictimUnderTest,
  { noises }: PlannedThreatModel,
  clips: readonly CleanClip[],
  attacks: readonly AttackRecord[],
) {
  const records: AttackRecord[] = [];
  let verificationCost = NO_COST;
  for (const attack of attacks.some(followsGradients) ? noises : []) {
    const batch = await withCleanTaps(services, victim, attack.model, clips, budget.signal);
    const listener = { onProgress: () => {} };
    const { candidates, ...told } = await attackBatch(services, victim, attack.model, batch, listener, budget.signal);
    const { verified, cost } = await verifyBatch(services, victim, attack.model, batch, candidates, budget.signal);
    records.push({ ...told, attack, verified });
    verificationCost = addCosts(verificationCost, cost);
  }
  return { records, verificationCost };
}

/** What the attacks are worth, and the verified points of a remedy; undefined when the time was not enough. */
async function assessWithin(
  search: SearchSetting,
  victim: VictimUnderTest,
  threatModel: PlannedThreatModel,
  clips: readonly CleanClip[],
  outcomes: readonly AttackOutcome[],
) {
  const { services, budget } = search;
  const found: Found[] = [];
  const records = outcomes.map(({ attack, verification, failedScales, evidence, cost }) => ({
    attack,
    verified: verification?.verified ?? [],
    failedScales,
    evidence,
    cost,
  }));
  const onVerified = (candidate: Candidate, verified: Verified, attack: string) =>
    found.push({ attack, candidate, verified });
  try {
    const setting = { services, victim, threatModel, clips, transfer: undefined, onVerified, signal: budget.signal };
    const noises = await noisesBeside(search, victim, threatModel, clips, records);
    const assessed = await assessAttacks(setting, records, noises.records);
    return {
      report: assessed.report,
      found,
      noiseCost: noises.records.reduce((sum, { cost }) => addCosts(sum, cost), NO_COST),
      verificationCost: addCosts(assessed.verificationCost, noises.verificationCost),
    };
  } catch (thrown) {
    if (!budget.isOver) throw thrown;
    return undefined;
  }
}

/** Undefined when the time was not enough. */
async function writeWithin(
  { services, budget, writeBack }: SearchSetting,
  victim: VictimUnderTest,
  { model: threatModel }: PlannedThreatModel,
  clip: CleanClip,
  found: readonly Found[],
): Promise<WrittenExamples | undefined> {
  const reached = found
    .filter(({ verified }) => verified.verdict === 'reached')
    .map(({ candidate, verified: { scale } }) => ({ candidate, scale }));
  if (writeBack.forms.length === 0 || reached.length === 0) return { written: [], cost: NO_COST };
  const attributes = { 'faultline.forms': writeBack.forms.length, 'faultline.candidates': reached.length };
  try {
    return await withSpan('score.write_back', attributes, () =>
      writeBackClip({ services, victim, threatModel, writeBack, signal: budget.signal }, clip, reached),
    );
  } catch (thrown) {
    if (!budget.isOver) throw thrown;
    return undefined;
  }
}
