import { type DenseTensor, elementCount } from '@faultline/contracts';
import type { Cost, Loop, LoopPlan, Victim } from '@faultline/victim';
import type { AttackPlan, ExampleBudget } from './attack.ts';
import { bestSlot, NO_MARGIN } from './best-point.ts';
import { EvidenceRecorder, type ExampleEvidence } from './evidence.ts';

/** One clip on one rung. */
export interface LadderExample {
  readonly clip: number;
  readonly rung: number;
  /** True: finished as soon as its goal is reached. False: all steps are done. */
  readonly stopsEarly: boolean;
  readonly budget: ExampleBudget;
}

/** The lowest-margin iterate of one example. */
export interface Candidate {
  readonly clip: number;
  readonly rung: number;
  /** The attack's own margin. */
  readonly margin: number;
  /** Tensors of the attacked variables, [...dims] each, by variable. */
  readonly point: ReadonlyMap<string, DenseTensor<Float32Array>>;
}

/** Gradient steps done so far, the most that are still to come, and the work since the last progress. */
export interface LoopProgress {
  readonly stepsDone: number;
  readonly stepsLeft: number;
  readonly cost: Cost;
}

/** The victim computed something that is not a number. */
export class AttackNumericError extends Error {
  override name = 'AttackNumericError';
}

/** Large budgets succeed within a few steps, so that the first looks at which examples are finished are close together. */
const EARLY_STEPS = 10;
const EARLY_INTERVAL = 2;
/** Later ones are rarer: a look costs a round trip, and each that finds something a copy of what stays. */
const LATE_INTERVAL = 5;

/** The step after `done` at which finished examples are looked for. */
function nextCheck(done: number, steps: number): number {
  const interval = done < EARLY_STEPS ? EARLY_INTERVAL : LATE_INTERVAL;
  return Math.min(steps, done + interval - (done % interval));
}

/** What opens a ladder's loop beside the attack. */
export type LadderBatch = Omit<LoopPlan, 'programs' | 'constants' | 'noise'>;

export interface LadderLoopOptions {
  readonly victim: Victim;
  readonly attack: AttackPlan;
  readonly loop: LadderBatch;
  readonly examples: readonly LadderExample[];
  readonly restarts: number;
  /** tau: a goal counts as reached at or below minus this margin. */
  readonly tolerance: number;
  readonly signal?: AbortSignal | undefined;
}

/** What a loop of this attack opens with. */
function opening(batch: LadderBatch, attack: AttackPlan): LoopPlan {
  const { programs, constants, mode, samples, noise } = attack;
  return { ...batch, programs, constants, mode, samples, noise };
}

/**
 * Runs one loop over the examples of some clips and rungs.
 *
 * Where a rung of either kind succeeds, the clip's larger early-stopping rungs are dropped, for their success is implied: of
 * those a clip keeps at most its smallest successful one. Rungs that never stop run through all steps and restarts and return
 * every clip; only where the budget is 0, so that nothing can move, are they done at the first look.
 * Looks fall on fixed steps, however many the victim does in a message, so that a run does not depend on the clock.
 */
export class LadderLoop {
  readonly #options: LadderLoopOptions;
  #active: readonly LadderExample[];
  /** By clip, the smallest rung of either kind whose goal was reached. */
  readonly #smallest = new Map<number, number>();
  readonly #early = new Map<number, Candidate>();
  readonly #complete: Candidate[] = [];
  readonly #recorder: EvidenceRecorder;

  constructor(options: LadderLoopOptions) {
    this.#options = options;
    this.#active = options.examples;
    this.#recorder = new EvidenceRecorder({
      steps: options.attack.steps,
      reachedMargin: -options.tolerance,
      bestOutcome: 'bestMargin',
      none: NO_MARGIN,
    });
  }

  /** What the outcomes told, one entry an example. */
  evidence(member?: number): readonly ExampleEvidence[] {
    return this.#recorder.evidence(member);
  }

  /** By clip whose goal was reached: the smallest rung, of either kind, on which it was. */
  get smallestReached(): ReadonlyMap<number, number> {
    return this.#smallest;
  }

  /** Successes of early-stopping rungs, at most one a clip: none where a smaller rung of either kind succeeded. */
  get early(): readonly Candidate[] {
    return [...this.#early.values()].filter(({ clip, rung }) => this.#smallest.get(clip) === rung);
  }

  /** Every example that never stops, once the loop has run. */
  get complete(): readonly Candidate[] {
    return this.#complete;
  }

  async *run(): AsyncGenerator<LoopProgress> {
    const { victim, attack, loop: plan, signal, restarts } = this.#options;
    await using loop = await victim.open(opening(plan, attack), attack.initParameters(this.#budgets()), { signal });
    for (let restart = 0; restart < restarts && this.#active.length > 0; restart += 1) {
      if (restart > 0) await loop.restart(attack.initParameters(this.#budgets()));
      yield* this.#descend(loop, restart);
    }
    await this.#finish(loop);
  }

  #budgets(): ExampleBudget[] {
    return this.#active.map(({ budget }) => budget);
  }

  /** All steps of one restart, and the evaluation of its last point. */
  async *#descend(loop: Loop, restart: number): AsyncGenerator<LoopProgress> {
    const { attack, signal, restarts } = this.#options;
    const restartsLeft = restarts - 1 - restart;
    let done = 0;
    for (let finished = false; !finished && this.#active.length > 0; ) {
      signal?.throwIfAborted();
      const boundary = nextCheck(done, attack.steps);
      const steps = boundary - done;
      const parameters = attack.stepParameters(this.#budgets(), done, steps);
      const result = await loop.step({ steps, parameters, finish: boundary === attack.steps });
      if (result.stepsDone === 0 && !result.finished) throw new Error('the victim did no step of those asked for');
      this.#recorder.note(this.#active, { restart, step: done }, result);
      const stepsDone = result.stepsDone * this.#active.length;
      done += result.stepsDone;
      finished = result.finished;
      if (done === boundary) await this.#dropFinished(loop, lastRow(result.outcomes.get('bestMargin'), this.#active));
      const stepsLeft = this.#active.length * (attack.steps - done + restartsLeft * attack.steps);
      yield { stepsDone, stepsLeft, cost: result.cost };
    }
  }

  async #dropFinished(loop: Loop, margins: readonly number[]): Promise<void> {
    const examples = [...this.#active.entries()];
    for (const [index, { clip, rung }] of examples) {
      const succeeded = (margins[index] ?? NO_MARGIN) <= -this.#options.tolerance;
      if (succeeded && rung < (this.#smallest.get(clip) ?? Number.POSITIVE_INFINITY)) this.#smallest.set(clip, rung);
    }
    const successes = examples.filter(
      ([, { clip, rung, stopsEarly }]) => stopsEarly && this.#smallest.get(clip) === rung,
    );
    const still = examples.filter(([, { budget, stopsEarly }]) => !stopsEarly && isZero(budget));
    const leaving = await this.#fetch(
      loop,
      [...successes, ...still].map(([index]) => index),
      margins,
    );
    for (const [position, candidate] of leaving.entries()) {
      if (position < successes.length) this.#early.set(candidate.clip, candidate);
      else this.#complete.push(candidate);
    }
    const staying = examples.filter(([, { clip, rung, stopsEarly, budget }]) => {
      if (isZero(budget)) return false;
      return !stopsEarly || rung < (this.#smallest.get(clip) ?? Number.POSITIVE_INFINITY);
    });
    if (staying.length === examples.length) return;
    this.#active = staying.map(([, example]) => example);
    // An emptied loop is closed next; there is nothing left to compact.
    if (staying.length > 0) await loop.keep(staying.map(([index]) => index));
  }

  /** What is left at the end: the examples that never stop, and the early ones without success, which return nothing. */
  async #finish(loop: Loop): Promise<void> {
    const indices = [...this.#active.entries()].filter(([, { stopsEarly }]) => !stopsEarly).map(([index]) => index);
    if (indices.length === 0) return;
    const fetched = await loop.fetch(['state/bestMargin'], indices);
    const margins: number[] = [];
    for (const [row, index] of indices.entries()) margins[index] = Number(fetched.get('state/bestMargin')?.data[row]);
    this.#complete.push(...(await this.#fetch(loop, indices, margins)));
  }

  async #fetch(loop: Loop, indices: readonly number[], margins: readonly number[]): Promise<Candidate[]> {
    if (indices.length === 0) return [];
    const variables = this.#options.loop.variables.map(({ name }) => name);
    const tensors = await loop.fetch(variables.map(bestSlot), indices);
    return indices.map((index, row) => {
      const example = this.#active[index];
      if (example === undefined) throw new RangeError(`example ${index} is not in the loop`);
      const point = new Map(variables.map((name) => [name, rowOf(name, tensors.get(bestSlot(name)), row)]));
      return { clip: example.clip, rung: example.rung, margin: margins[index] ?? Number.NaN, point };
    });
  }
}

const isZero = (budget: ExampleBudget) => [...budget.values()].every((epsilon) => epsilon === 0);

function rowOf(name: string, tensor: DenseTensor | undefined, row: number): DenseTensor<Float32Array> {
  if (!(tensor?.data instanceof Float32Array))
    throw new TypeError(`the victim returned no float32 tensor for '${name}'`);
  const dims = tensor.dims.slice(1);
  const size = elementCount(dims);
  return { dims, data: tensor.data.subarray(row * size, (row + 1) * size) };
}

/** The latest outcome of each example. */
function lastRow(outcome: Float32Array | undefined, examples: readonly LadderExample[]): number[] {
  const margins = [...(outcome ?? []).slice(-examples.length)];
  if (margins.length !== examples.length) throw new TypeError('the victim returned no margins');
  for (const [index, margin] of margins.entries()) {
    if (margin >= NO_MARGIN || Number.isNaN(margin)) {
      throw new AttackNumericError(
        `the logits of clip ${examples[index]?.clip} are not numbers on rung ${examples[index]?.rung}: check the victim at its clean inputs`,
      );
    }
  }
  return margins;
}
