import { type DenseTensor, elementCount } from '@faultline/contracts';
import type { Loop, LoopPlan, Victim } from '@faultline/victim';
import { bestSlot } from './best-point.ts';
import { EvidenceRecorder, type ExampleEvidence } from './evidence.ts';
import { AttackNumericError, type LoopProgress } from './ladder-loop.ts';
import type { MinimumNormExample, MinimumNormPlan } from './minimum-norm.ts';
import { NO_SCALE } from './smallest-point.ts';

/** Where an attack's search for a clip's critical scale ended. */
export interface ClipSearch {
  readonly clip: number;
  /** Largest scale below the smallest success at which a point was tried without success; 0 where there was none. */
  readonly failedScale: number;
  /** The smallest point that reached the goal; undefined without one. */
  readonly found?: SmallestPoint | undefined;
}

export interface SmallestPoint {
  /** The attack's own margin. */
  readonly margin: number;
  /** Tensors of the attacked variables, [...dims] each, by variable. */
  readonly point: ReadonlyMap<string, DenseTensor<Float32Array>>;
}

export interface MinimumNormLoopOptions {
  readonly victim: Victim;
  readonly attack: MinimumNormPlan;
  readonly loop: Omit<LoopPlan, 'programs' | 'constants' | 'samples'>;
  readonly examples: readonly MinimumNormExample[];
  readonly restarts: number;
  /** The goal counts as reached at or below this margin. */
  readonly reachedMargin: number;
  readonly signal?: AbortSignal | undefined;
}

/** Most steps that a victim takes in one message. */
const MAX_STEPS_A_MESSAGE = 64;

/** The first look at which examples are done: clips that reach the goal without any change need no search. */
const FIRST_LOOK = 1;

/** Further looks, at those that say that they are done. */
const LOOK_INTERVAL = 4;

/** What the outcomes of one example have told. */
interface Trail {
  readonly example: MinimumNormExample;
  smallest: number;
  margin: number;
  /** Scales tried without success. */
  failures: number[];
}

/**
 * Runs a minimum-norm attack over some clips, an example each, through all steps and restarts. Clips that reach the goal at scale 0 are
 * dropped at the first look, those whose attack ends by itself at later ones; looks fall on fixed steps, so that a run does not depend on the clock.
 */
export class MinimumNormLoop {
  readonly #options: MinimumNormLoopOptions;
  #active: readonly Trail[];
  readonly #done: ClipSearch[] = [];
  /** Whether the programs say when an example is done. */
  #endsByItself = false;
  readonly #recorder: EvidenceRecorder;

  constructor(options: MinimumNormLoopOptions) {
    this.#options = options;
    this.#recorder = new EvidenceRecorder({
      steps: options.attack.steps,
      reachedMargin: options.reachedMargin,
      bestOutcome: 'bestScale',
      none: NO_SCALE,
    });
    this.#active = options.examples.map((example) => ({
      example,
      smallest: NO_SCALE,
      margin: Number.NaN,
      failures: [],
    }));
  }

  /** One for each clip, ascending, once the loop has run. */
  get searches(): readonly ClipSearch[] {
    return this.#done.toSorted((a, b) => a.clip - b.clip);
  }

  /** What the outcomes told, one entry a clip. */
  get evidence(): readonly ExampleEvidence[] {
    return this.#recorder.evidence();
  }

  async *run(): AsyncGenerator<LoopProgress> {
    const { victim, attack, loop: plan, signal, restarts } = this.#options;
    const { programs, constants, mode, samples } = attack;
    await using loop = await victim.open(
      { ...plan, programs, constants, mode, samples },
      attack.initParameters(this.#examples()),
      { signal },
    );
    for (let restart = 0; restart < restarts && this.#active.length > 0; restart += 1) {
      if (restart > 0) await loop.restart(attack.initParameters(this.#examples()));
      yield* this.#descend(loop, restart);
    }
    await this.#take(loop, [...this.#active.keys()]);
  }

  #examples(): MinimumNormExample[] {
    return this.#active.map(({ example }) => example);
  }

  /** All steps of one restart, and the evaluation of its last point. */
  async *#descend(loop: Loop, restart: number): AsyncGenerator<LoopProgress> {
    const { attack, signal, restarts } = this.#options;
    const restartsLeft = restarts - 1 - restart;
    let done = 0;
    for (let finished = false; !finished && this.#active.length > 0; ) {
      signal?.throwIfAborted();
      const boundary = Math.min(attack.steps, done < FIRST_LOOK ? FIRST_LOOK : this.#nextLook(done));
      const steps = Math.min(boundary - done, MAX_STEPS_A_MESSAGE);
      const parameters = attack.stepParameters(this.#examples(), done, steps);
      const result = await loop.step({ steps, parameters, finish: done + steps === attack.steps });
      if (result.stepsDone === 0 && !result.finished) throw new Error('the victim did no step of those asked for');
      this.#note(result.outcomes);
      this.#recorder.note(this.#examples(), { restart, step: done }, result);
      const stepsDone = result.stepsDone * this.#active.length;
      done += result.stepsDone;
      finished = result.finished;
      const ended = restartsLeft === 0 ? result.outcomes.get('done')?.slice(-this.#active.length) : undefined;
      this.#endsByItself ||= result.outcomes.has('done');
      if (done === boundary) await this.#dropDone(loop, ended);
      const stepsLeft = this.#active.length * (attack.steps - done + restartsLeft * attack.steps);
      yield { stepsDone, stepsLeft, cost: result.cost };
    }
  }

  /** Reads the scale and margin of every point that was evaluated. */
  #note(outcomes: ReadonlyMap<string, Float32Array>): void {
    const read = (name: string) => {
      const values = outcomes.get(name);
      if (values === undefined) throw new TypeError(`the victim returned no outcome '${name}'`);
      return values;
    };
    const [scales, margins, smallest] = [read('scale'), read('margin'), read('bestScale')];
    const count = this.#active.length;
    for (let row = 0; row < scales.length / count; row += 1) {
      for (const [index, trail] of this.#active.entries()) {
        const at = row * count + index;
        const [scale = Number.NaN, margin = Number.NaN, best = NO_SCALE] = [scales[at], margins[at], smallest[at]];
        if (Number.isNaN(margin) && trail.failures.length === 0 && trail.smallest === NO_SCALE) {
          throw new AttackNumericError(
            `the logits of clip ${trail.example.clip} are not numbers: check the victim at its clean inputs`,
          );
        }
        if (best < trail.smallest) {
          trail.smallest = best;
          trail.margin = margin;
          trail.failures = trail.failures.filter((failed) => failed < best);
        } else if (scale < trail.smallest && !(margin < 0)) trail.failures.push(scale);
      }
    }
  }

  /** The step after `done` at which examples may be dropped; attacks that do not end by themselves have no further look. */
  #nextLook(done: number): number {
    if (!this.#endsByItself) return this.#options.attack.steps;
    return done + LOOK_INTERVAL - (done % LOOK_INTERVAL);
  }

  /** Drops the clips that need no perturbation, and those whose attack has ended. */
  async #dropDone(loop: Loop, ended: Float32Array | undefined): Promise<void> {
    const leaving = [...this.#active.keys()].filter(
      (index) => (this.#active[index]?.smallest ?? NO_SCALE) <= 0 || ended?.[index] === 1,
    );
    if (leaving.length === 0) return;
    await this.#take(loop, leaving);
    const staying = [...this.#active.keys()].filter((index) => !leaving.includes(index));
    this.#active = staying.flatMap((index) => this.#active[index] ?? []);
    // An emptied loop is closed next; there is nothing left to compact.
    if (staying.length > 0) await loop.keep(staying);
  }

  /** Keeps what was found for these examples. */
  async #take(loop: Loop, indices: readonly number[]): Promise<void> {
    const variables = this.#options.loop.variables.map(({ name }) => name);
    const successes = indices.filter((index) => (this.#active[index]?.smallest ?? NO_SCALE) < NO_SCALE);
    const tensors = successes.length === 0 ? new Map() : await loop.fetch(variables.map(bestSlot), successes);
    for (const index of indices) {
      const trail = this.#active[index];
      if (trail === undefined) throw new RangeError(`example ${index} is not in the loop`);
      const row = successes.indexOf(index);
      const rows = () => new Map(variables.map((name) => [name, rowOf(name, tensors.get(bestSlot(name)), row)]));
      this.#done.push({
        clip: trail.example.clip,
        failedScale: Math.max(0, ...trail.failures),
        found: row < 0 ? undefined : { margin: trail.margin, point: rows() },
      });
    }
  }
}

function rowOf(name: string, tensor: DenseTensor | undefined, row: number): DenseTensor<Float32Array> {
  if (!(tensor?.data instanceof Float32Array))
    throw new TypeError(`the victim returned no float32 tensor for '${name}'`);
  const dims = tensor.dims.slice(1);
  const size = elementCount(dims);
  return { dims, data: tensor.data.subarray(row * size, (row + 1) * size) };
}
