import { score } from '@faultline/contracts';
import type { CostReport } from '@faultline/report';
import { ProgressMeter, type ProgressState } from '../campaign/progress.ts';
import type { InputCache } from '../inputs/input-cache.ts';
import { attackClips, cut } from '../peers/batches.ts';
import { addCosts, NO_COST } from '../peers/predict-clips.ts';
import type { Services } from '../peers/services.ts';
import type { VictimUnderTest } from '../peers/victim-under-test.ts';
import type { PlannedThreatModel } from '../planning/planned-attacks.ts';
import { resolvedClip } from '../planning/requested-clips.ts';
import { withLookupSpan } from '../spans.ts';
import type { PlannedUniversal } from '../universal/planned-universal.ts';
import { scoreUniversal } from '../universal/score-universal.ts';
import { cleanWeight, prepareWeight, universalWeight } from '../work-plan.ts';
import { cleanClips, type IndexedClip } from './clean-clips.ts';
import { blankScore, type CleanClip, cleanScore, cleanStanding } from './clip-score.ts';
import { Pace } from './pace.ts';
import type { ScorePlan } from './plan-score.ts';
import { searchClips, searchWeight } from './search-clips.ts';
import type { TimeBudget } from './time-budget.ts';

const { SCORE_STATE_FINISHED, SCORE_STATE_NOT_STARTED } = score.ScoreState;

/** What a Score call works with. */
export interface ScoreWork {
  readonly services: Services;
  readonly cache: InputCache;
  readonly budget: TimeBudget;
  readonly onScore: (score: score.ClipScore) => Promise<void>;
  readonly onUniversal: (score: score.UniversalScore) => Promise<void>;
  readonly onProgress: (state: ProgressState) => void;
}

/** Clips that are worked on together, through all victims and threat models. */
const MOST_CLIPS_AT_ONCE = 8;
/** Of the time that is left, clips of the next round may take this share by the pace so far. */
const ROUND_SHARE = 0.8;

function totalWeight({ victims, threatModels, universals, clips }: ScorePlan): number {
  const count = clips.length;
  const rounds = threatModels.length > 0 ? 1 : 0;
  return victims.reduce(
    (sum, victim) =>
      sum +
      rounds * cleanWeight(victim, count) +
      threatModels.reduce((ofVictim, one) => ofVictim + searchWeight(victim, one, count), 0) +
      universals.reduce((ofVictim, one) => ofVictim + cleanWeight(victim, count) + universalWeight(victim, one), 0),
    (rounds + universals.length) * prepareWeight(count),
  );
}

/** One Score call at work: clips in rounds, each through every victim and threat model, so that what is finished compares. */
class ScoreRun {
  readonly #plan: ScorePlan;
  readonly #work: ScoreWork;
  readonly #meter: ProgressMeter;
  readonly #pace = new Pace();
  /** "victim/threat model/clip" of the scores that were sent. */
  readonly #sent = new Set<string>();
  #finished = 0;
  #attackCost: CostReport = NO_COST;
  #verificationCost: CostReport = NO_COST;

  constructor(plan: ScorePlan, work: ScoreWork) {
    this.#plan = plan;
    this.#work = work;
    this.#meter = new ProgressMeter(totalWeight(plan), work.onProgress);
  }

  async run(): Promise<score.ScoreSummary> {
    const clips = this.#plan.clips.map((clip, index): IndexedClip => ({ index, clip }));
    if (this.#plan.threatModels.length > 0) await this.#rounds(clips);
    for (const planned of this.#plan.universals) {
      for (const victim of this.#plan.victims) await this.#universal(victim, planned, clips);
    }
    await this.#sendUnstarted();
    return this.#summary();
  }

  async #rounds(clips: readonly IndexedClip[]): Promise<void> {
    const { budget } = this.#work;
    let size = budget.isBounded ? 1 : MOST_CLIPS_AT_ONCE;
    for (let next = 0; next < clips.length && budget.remainingMs > 0; ) {
      const round = clips.slice(next, next + size);
      next += round.length;
      const startedAt = performance.now();
      try {
        await this.#round(round);
      } catch (thrown) {
        if (!budget.isOver) throw thrown;
      }
      if (!budget.isBounded) continue;
      const msPerClip = (performance.now() - startedAt) / round.length;
      const fitting = Math.floor((ROUND_SHARE * budget.remainingMs) / msPerClip);
      size = Math.min(MOST_CLIPS_AT_ONCE, Math.max(1, fitting));
    }
  }

  /** One perturbation for all clips is whole, or there is none: what the time is not enough for is told in the summary. */
  async #universal(victim: VictimUnderTest, planned: PlannedUniversal, clips: readonly IndexedClip[]): Promise<void> {
    const { budget, services, onUniversal } = this.#work;
    if (budget.remainingMs <= 0) return;
    try {
      const clean = await this.#clean(victim, clips);
      const work = this.#meter.begin(universalWeight(victim, planned), `${victim.name}: ${planned.model.name}`);
      const setting = { services, signal: budget.signal, onProgress: work.advance };
      const { score: found, cost } = await scoreUniversal(setting, victim, planned, clean, this.#plan.adversarial);
      work.done();
      this.#attackCost = addCosts(this.#attackCost, cost.attack);
      this.#verificationCost = addCosts(this.#verificationCost, cost.verification);
      this.#finished += 1;
      await onUniversal(found);
    } catch (thrown) {
      if (!budget.isOver) throw thrown;
    }
  }

  async #round(clips: readonly IndexedClip[]): Promise<void> {
    const clean = new Map<VictimUnderTest, readonly CleanClip[]>();
    for (const victim of this.#plan.victims) clean.set(victim, await this.#clean(victim, clips));
    for (const threatModel of this.#plan.threatModels) {
      for (const [victim, ofVictim] of clean) await this.#search(victim, threatModel, ofVictim);
    }
  }

  async #clean(victim: VictimUnderTest, clips: readonly IndexedClip[]): Promise<readonly CleanClip[]> {
    const { services, cache, budget } = this.#work;
    const weight = cleanWeight(victim, clips.length) + prepareWeight(clips.length) / this.#plan.victims.length;
    const work = this.#meter.begin(weight, `${victim.name}: clean`);
    const attributes = { 'faultline.victim': victim.name, 'faultline.clips': clips.length };
    const { clean, cost } = await withLookupSpan('score.clean', attributes, cache, (lookup) =>
      cleanClips(services, lookup, victim, clips, budget.signal),
    );
    this.#verificationCost = addCosts(this.#verificationCost, cost);
    work.done();
    return clean;
  }

  async #search(victim: VictimUnderTest, threatModel: PlannedThreatModel, clips: readonly CleanClip[]): Promise<void> {
    const { services, budget } = this.#work;
    const { adversarial, writeBack } = this.#plan;
    const reached = clips.filter((clip) => cleanStanding(victim, threatModel, clip).isReached);
    for (const clip of reached) {
      const reason =
        clip.labels.length === 0 ? 'the victim predicts no label as active: there is nothing to attack' : '';
      const off = cleanScore(victim, threatModel, clip, SCORE_STATE_FINISHED, reason);
      await this.#send({ ...off, criticalScale: 0 });
    }
    const on = clips.filter((clip) => !reached.includes(clip));
    const weight = (count: number) => searchWeight(victim, threatModel, count);
    this.#meter.begin(weight(reached.length)).done();
    const { name, rungs } = threatModel.model;
    for (const batch of cut(on, attackClips(victim, rungs.length))) {
      const work = this.#meter.begin(weight(batch.length), `${victim.name}: ${name}`);
      const setting = { services, budget, pace: this.#pace, adversarial, writeBack, onProgress: work.advance };
      const outcome = await searchClips(setting, victim, threatModel, batch);
      work.done();
      this.#attackCost = addCosts(this.#attackCost, outcome.attackCost);
      this.#verificationCost = addCosts(this.#verificationCost, outcome.verificationCost);
      for (const one of outcome.scores) await this.#send(one);
    }
  }

  async #send(one: score.ClipScore): Promise<void> {
    this.#sent.add(`${one.victim}/${one.threatModel}/${one.clip}`);
    if (one.state === SCORE_STATE_FINISHED) this.#finished += 1;
    await this.#work.onScore(one);
  }

  async #sendUnstarted(): Promise<void> {
    for (const clip of this.#plan.clips) {
      for (const threatModel of this.#plan.threatModels) {
        for (const { name } of this.#plan.victims) {
          if (this.#sent.has(`${name}/${threatModel.model.name}/${clip.name}`)) continue;
          const reason = 'the time was up before this clip’s turn';
          await this.#send(blankScore(name, threatModel, clip, SCORE_STATE_NOT_STARTED, reason));
        }
      }
    }
  }

  #summary(): score.ScoreSummary {
    const { victims, threatModels, universals, clips } = this.#plan;
    const planned = victims.length * (threatModels.length * clips.length + universals.length);
    const complete = this.#finished === planned;
    const remedy = 'allow more time, or ask for fewer clips, threat models, steps or budgets';
    return {
      clips: clips.map(resolvedClip),
      complete,
      planned,
      finished: this.#finished,
      shortfall: complete ? '' : `the time was enough for ${this.#finished} of ${planned} scores: ${remedy}`,
      attackCost: this.#attackCost,
      verificationCost: this.#verificationCost,
    };
  }
}

/**
 * Scores clips within the time: sends one score for each victim, threat model and clip, then one for each victim and universal perturbation, and returns the summary.
 * @throws FaultlineError that names what failed; the reason of the call's signal when it was cancelled.
 */
export function runScore(plan: ScorePlan, work: ScoreWork): Promise<score.ScoreSummary> {
  return new ScoreRun(plan, work).run();
}
