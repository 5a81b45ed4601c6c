import type { StepResult } from '@faultline/victim';
import { gradientOutcomes } from './gradient-outcomes.ts';

/**
 * What the outcomes of one clip on one rung told while an attack ran: the attack's own numbers, at the points that it evaluated itself (the probes of black-box
 * attacks are not among them). Evidence about the attack, never a result: only a fresh prediction of the returned tensors says whether it succeeded.
 */
export interface ExampleEvidence {
  readonly clip: number;
  /** Index in the threat model's ladder; undefined in a search. */
  readonly rung?: number | undefined;
  /** Which attack of an ensemble, from 0; 0 for every other attack. */
  readonly member: number;
  /** Points that were evaluated, over all restarts: a restart's start, the point after each step. Fewer than planned where the example was dropped. */
  readonly evaluations: number;
  /** The first point at which the goal counted as reached; undefined: none. */
  readonly reached?: PointIndex | undefined;
  /** Lowest margin of all points, in logits, whether that point was returned or not. NaN where none was a number. */
  readonly lowestMargin: number;
  /** Points whose margin was above that of the point before it in the same restart. */
  readonly rises: number;
  /** The points of the first restart, thinned out to PATH_POINTS. */
  readonly path: readonly PathPoint[];
  /** `best` after each restart that the example took part in. */
  readonly bestByRestart: readonly number[];
  /** By attacked variable; empty without gradients. */
  readonly gradients: ReadonlyMap<string, GradientEvidence>;
}

export interface PointIndex {
  /** From 0. */
  readonly restart: number;
  /** Steps of this restart that led to the point; 0: its start. */
  readonly step: number;
}

/** A point of an attack's path. */
export interface PathPoint {
  /** Steps that led to it. */
  readonly step: number;
  /** Its margin, in logits: below 0 beyond the goal. */
  readonly margin: number;
  /** On a ladder the lowest margin so far; in a search the smallest scale with success so far, infinity without one. */
  readonly best: number;
}

/** The gradients of one variable at the points of one example. Those of a finishing evaluation are not computed, and not counted. */
export interface GradientEvidence {
  readonly evaluations: number;
  /** Of these, how many were exactly 0 in every coordinate: the attack had no direction there. */
  readonly zeros: number;
  /** Largest sum of absolute values, in units of the loss an input unit. */
  readonly largest: number;
}

/** What is counted, of several examples together. */
export function totals(examples: readonly ExampleEvidence[]) {
  const gradients = new Map<string, GradientEvidence>();
  for (const example of examples) {
    for (const [variable, { evaluations, zeros, largest }] of example.gradients) {
      const known = gradients.get(variable) ?? { evaluations: 0, zeros: 0, largest: 0 };
      gradients.set(variable, {
        evaluations: known.evaluations + evaluations,
        zeros: known.zeros + zeros,
        largest: Math.max(known.largest, largest),
      });
    }
  }
  const margins = examples.map(({ lowestMargin }) => lowestMargin).filter((margin) => !Number.isNaN(margin));
  return {
    evaluations: examples.reduce((sum, { evaluations }) => sum + evaluations, 0),
    rises: examples.reduce((sum, { rises }) => sum + rises, 0),
    lowestMargin: margins.length === 0 ? Number.NaN : Math.min(...margins),
    gradients,
  };
}

/** Points of a path that are kept. */
export const PATH_POINTS = 24;

/** The steps of a path of which points are kept: all of a short one; of a long one the first, the last, and between them the closer the earlier. */
export function pathSteps(steps: number): ReadonlySet<number> {
  const last = PATH_POINTS - 1;
  if (steps <= last) return new Set(Array.from({ length: steps + 1 }, (_, step) => step));
  return new Set(Array.from({ length: PATH_POINTS }, (_, point) => Math.round(steps * (point / last) ** 2)));
}

interface Trail {
  readonly clip: number;
  readonly rung: number | undefined;
  evaluations: number;
  reached: PointIndex | undefined;
  lowestMargin: number;
  rises: number;
  latest: { readonly restart: number; readonly margin: number } | undefined;
  readonly path: PathPoint[];
  readonly bestByRestart: number[];
  readonly gradients: Map<string, GradientEvidence>;
}

export interface EvidenceOptions {
  /** Steps a restart. */
  readonly steps: number;
  /** A goal counts as reached at or below this margin. */
  readonly reachedMargin: number;
  /** Outcome that holds the best so far: the lowest margin, or the smallest scale. */
  readonly bestOutcome: 'bestMargin' | 'bestScale';
  /** Values of it from here on mean that there is none. */
  readonly none: number;
}

/** Writes down what the outcomes of a loop tell, example by example. */
export class EvidenceRecorder {
  readonly #options: EvidenceOptions;
  readonly #kept: ReadonlySet<number>;
  readonly #trails = new Map<string, Trail>();

  constructor(options: EvidenceOptions) {
    this.#options = options;
    this.#kept = pathSteps(options.steps);
  }

  /**
   * Notes the outcomes of one message.
   * @param examples those in the loop, in its order.
   * @param first the point that the first row describes.
   */
  note(
    examples: readonly { readonly clip: number; readonly rung?: number | undefined }[],
    first: PointIndex,
    { outcomes, stepsDone }: Pick<StepResult, 'outcomes' | 'stepsDone'>,
  ): void {
    const margins = outcomes.get('margin') ?? new Float32Array();
    const best = outcomes.get(this.#options.bestOutcome) ?? new Float32Array();
    const gradients = gradientOutcomes(outcomes);
    const rows = margins.length / examples.length;
    for (const [index, example] of examples.entries()) {
      const trail = this.#trailOf(example);
      for (let row = 0; row < rows; row += 1) {
        const at = row * examples.length + index;
        const point = { restart: first.restart, step: first.step + row };
        this.#point(trail, point, margins[at] ?? Number.NaN, best[at] ?? Number.NaN);
        // The row after the last step is that of an evaluation without gradient.
        if (row < stepsDone) for (const [name, sizes] of gradients) noteGradient(trail, name, sizes[at] ?? Number.NaN);
      }
    }
  }

  /** One for each example that was in the loop, in the order in which they came. */
  evidence(member = 0): ExampleEvidence[] {
    return Array.from(this.#trails.values(), ({ latest: _, ...trail }) => ({ ...trail, member }));
  }

  #trailOf({ clip, rung }: { readonly clip: number; readonly rung?: number | undefined }): Trail {
    const key = `${clip} ${rung}`;
    const known = this.#trails.get(key);
    if (known !== undefined) return known;
    const trail: Trail = {
      clip,
      rung,
      evaluations: 0,
      reached: undefined,
      lowestMargin: Number.NaN,
      rises: 0,
      latest: undefined,
      path: [],
      bestByRestart: [],
      gradients: new Map(),
    };
    this.#trails.set(key, trail);
    return trail;
  }

  #point(trail: Trail, point: PointIndex, margin: number, outcome: number): void {
    const { reachedMargin, none } = this.#options;
    const best = outcome >= none ? Number.POSITIVE_INFINITY : outcome;
    trail.evaluations += 1;
    if (margin <= reachedMargin) trail.reached ??= point;
    if (!(margin >= trail.lowestMargin)) trail.lowestMargin = Number.isNaN(margin) ? trail.lowestMargin : margin;
    if (trail.latest?.restart === point.restart && margin > trail.latest.margin) trail.rises += 1;
    trail.latest = { restart: point.restart, margin };
    if (point.restart === 0 && this.#kept.has(point.step)) trail.path.push({ step: point.step, margin, best });
    trail.bestByRestart[point.restart] = best;
  }
}

function noteGradient({ gradients }: Trail, variable: string, size: number): void {
  const { evaluations, zeros, largest } = gradients.get(variable) ?? { evaluations: 0, zeros: 0, largest: 0 };
  gradients.set(variable, {
    evaluations: evaluations + 1,
    zeros: zeros + (size === 0 ? 1 : 0),
    largest: Math.max(largest, size),
  });
}
