import { type Victim, verdictTolerance } from '@faultline/victim';
import { bitsAt, type Directions, ownGradients } from './directions.ts';
import { claimOf, steepest } from './gradient-probe.ts';
import { type Point, type ProbedClips, Questions } from './probed-clips.ts';

/** The smallest point that was found on a clip's boundary. */
export interface BoundaryPoint {
  readonly clip: number;
  /** max over the variables of |delta| / rho, from the tensors; undefined where no start reaches the goal. */
  readonly scale: number | undefined;
  /** The point there: a fresh prediction says that it reaches the goal. */
  readonly point: Point;
  /** Whether the victim had no slope where the walk stood last, however near to the boundary: there was no direction to walk in. */
  readonly isFlat: boolean;
}

export interface BoundaryWalkOptions {
  /** Steps, each a gradient and `halvings` predictions a clip. Default 60. */
  readonly steps?: number | undefined;
  /** Where the walk's directions come from. Default: the victim's own gradients. */
  readonly directions?: Directions | undefined;
  readonly signal?: AbortSignal | undefined;
}

const STEPS = 60;
/** Of the way from the clean point to one beyond the boundary, before the first step: to 2^-26 of it. */
const FIRST_HALVINGS = 26;
/** After a step the boundary is looked for on both sides of the step's length. */
const HALVINGS = 7;
/** Length of the first step, in shares of the present scale; a step that finds nothing smaller halves it. */
const FIRST_STEP = 0.5;
const LAST_STEP = 1 / 128;
const SHORTER = 0.5;
/** What of its heading a walker keeps at each step: where two labels are level, their gradients take turns. */
const KEPT_HEADING = 0.75;
/** Where the slope is 0 at the boundary, the point is not near enough to it. */
const MORE_HALVINGS = 26;

/** Random corners of the range that are tried as starts. */
const CORNERS = 8;

/** A toss of a coin that depends on its place alone. */
const coin = (index: number, draw: number): boolean => (bitsAt(index, draw) & 1) === 1;

interface Walker {
  readonly clip: number;
  readonly clean: Point;
  /** Beyond the boundary, and near it. */
  point: Point;
  scale: number;
  step: number;
  isFlat: boolean;
  /** Gradients on the boundary so far, each of length 1, the older the less. */
  heading: Point;
}

/**
 * Searches for the smallest perturbation along the decision boundary: from a point far beyond it back to the boundary, then again and again a
 * step down the gradient that the victim has *there*, inside the ball of the present point, and straight back to the boundary. A victim
 * whose output is flat wherever it is sure still has a slope where it changes its mind; and steps are as long whatever the slope is. In the manner of Brendel et al.
 * 2019, arXiv 1907.01003, with the steps of projected gradient descent.
 */
export async function boundaryWalk(
  victim: Victim,
  clips: ProbedClips,
  { steps = STEPS, directions = ownGradients, signal }: BoundaryWalkOptions = {},
): Promise<BoundaryPoint[]> {
  const { card } = await victim.describe({ signal });
  const walk = new BoundaryWalk(new Questions(victim, clips, signal), clips, -verdictTolerance(card), directions);
  const walkers = await walk.start();
  for (let step = 0; step < steps; step += 1) {
    const active = walkers.filter((walker) => walker.scale > 0 && walker.step >= LAST_STEP && !walker.isFlat);
    if (active.length === 0) break;
    await walk.step(active);
  }
  const found = new Map(walkers.map((walker) => [walker.clip, walker]));
  return walk.clean.map((clean, clip) => {
    const walker = found.get(clip);
    return { clip, scale: walker?.scale, point: walker?.point ?? clean, isFlat: walker?.isFlat ?? false };
  });
}

class BoundaryWalk {
  readonly #questions: Questions;
  readonly #clips: ProbedClips;
  /** A margin at or below this one reaches the goal. */
  readonly #reached: number;
  readonly #directions: Directions;
  readonly clean: readonly Point[];

  constructor(questions: Questions, clips: ProbedClips, reached: number, directions: Directions) {
    this.#questions = questions;
    this.#clips = clips;
    this.#reached = reached;
    this.#directions = directions;
    this.clean = questions.clean;
  }

  /** Those clips that some start switches off, at the boundary on the way to the nearest such start. */
  async start(): Promise<Walker[]> {
    const all = this.clean.map((_, clip) => clip);
    const margins = await this.#questions.margins(all, this.clean);
    const walkers = new Map<number, Walker>();
    const consider = (clip: number, point: Point): void => {
      const clean = this.clean[clip] ?? point;
      const scale = scaleOf(this.#clips, clean, point);
      if (scale < (walkers.get(clip)?.scale ?? Number.POSITIVE_INFINITY)) {
        walkers.set(clip, { clip, clean, point, scale, step: FIRST_STEP, isFlat: false, heading: new Map() });
      }
    };
    for (const clip of all) if (this.#isReached(margins[clip])) consider(clip, this.clean[clip] ?? new Map());
    for (const start of this.#starts()) {
      const open = all.filter((clip) => walkers.get(clip)?.scale !== 0);
      const points = open.map((clip) => start(clip));
      const reached = await this.#questions.margins(open, points);
      for (const [row, clip] of open.entries())
        if (this.#isReached(reached[row])) consider(clip, points[row] ?? new Map());
    }
    await this.#return(
      [...walkers.values()].filter(({ scale }) => scale > 0),
      FIRST_HALVINGS,
    );
    return [...walkers.values()];
  }

  /** Takes walkers back to the boundary. */
  async #return(walkers: readonly Walker[], halvings: number): Promise<void> {
    const back = await this.#backToBoundary(walkers, halvings);
    for (const [row, walker] of walkers.entries()) {
      walker.point = back[row]?.point ?? walker.point;
      walker.scale = scaleOf(this.#clips, walker.clean, walker.point);
    }
  }

  /** Places that may lie beyond the boundary: the middle and the ends of the range, the clip's mirror image in it, random corners, and other clips. */
  #starts(): ((clip: number) => Point)[] {
    const { variables } = this.#clips;
    const constant = (share: number) => (clip: number) =>
      new Map(
        variables.map(({ name, low, high }) => [
          name,
          new Float32Array(this.clean[clip]?.get(name)?.length ?? 0).fill(low + share * (high - low)),
        ]),
      );
    const mirrored = (clip: number) =>
      new Map(
        variables.map(({ name, low, high }) => {
          const values = this.clean[clip]?.get(name) ?? new Float32Array();
          return [name, values.map((value) => low + high - value)];
        }),
      );
    const other = (offset: number) => (clip: number) => this.clean[(clip + offset) % this.clean.length] ?? new Map();
    const corner = (draw: number) => (clip: number) =>
      new Map(
        variables.map(({ name, low, high }) => {
          const values = this.clean[clip]?.get(name) ?? new Float32Array();
          return [name, values.map((_, index) => (coin(index, draw) ? high : low))];
        }),
      );
    const corners = Array.from({ length: CORNERS }, (_, draw) => corner(draw));
    const others = this.clean.slice(1, 4).map((_, index) => other(index + 1));
    return [constant(0.5), constant(0), constant(1), mirrored, ...others, ...corners];
  }

  #isReached(margin: number | undefined): boolean {
    return (margin ?? Number.NaN) <= this.#reached;
  }

  async step(walkers: readonly Walker[]): Promise<void> {
    const rows = walkers.map(({ clip }) => clip);
    const flat = await this.#turn(walkers);
    if (flat.length > 0) {
      await this.#return(flat, MORE_HALVINGS);
      for (const walker of await this.#turn(flat)) walker.isFlat = true;
    }
    const proposals = walkers.map((walker) => this.#proposal(walker));
    const margins = await this.#questions.margins(rows, proposals);
    const beyond = walkers.flatMap(({ clip, point, step }, row) =>
      this.#isReached(margins[row]) ? [{ clip, point: proposals[row] ?? point, guess: 1 - step / 2 }] : [],
    );
    const guesses = beyond.map(({ guess }) => guess);
    const found = await this.#backToBoundary(beyond, HALVINGS, guesses);
    const back = new Map(found.map(({ clip, point }) => [clip, point]));
    for (const walker of walkers) {
      const point = back.get(walker.clip);
      const scale = point === undefined ? walker.scale : scaleOf(this.#clips, walker.clean, point);
      if (point !== undefined && scale < walker.scale) [walker.point, walker.scale] = [point, scale];
      else walker.step *= SHORTER;
    }
  }

  /** Turns walkers to the slope where they stand; those that find none. */
  async #turn(walkers: readonly Walker[]): Promise<Walker[]> {
    const gradients = await this.#directions(this.#questions, this.#clips, walkers);
    return walkers.filter((walker, row) => {
      const gradient = gradients[row] ?? new Map();
      const length = claimOf(this.#clips, gradient);
      if (length > 0) walker.heading = blended(walker.heading, gradient, 1 / length);
      return length === 0;
    });
  }

  /** A step down the gradient, kept inside the ball of the present point. */
  #proposal({ clean, point, scale, step, heading }: Walker): Point {
    const moved = steepest(this.#clips, point, heading, step * scale);
    return new Map(
      this.#clips.variables.map(({ name, rho }) => [
        name,
        inBall(
          clean.get(name) ?? new Float32Array(),
          moved.get(name) ?? new Float32Array(),
          scale * rho,
          this.#clips.norm,
        ),
      ]),
    );
  }

  /** Straight towards the clean points, as far as the goal stays reached: `guesses` are shares of the way that the boundary may lie near. */
  async #backToBoundary(
    beyond: readonly { readonly clip: number; readonly point: Point }[],
    halvings: number,
    guesses: readonly number[] = beyond.map(() => 0.5),
  ): Promise<{ readonly clip: number; readonly point: Point }[]> {
    const rows = beyond.map(({ clip }) => clip);
    const ends = beyond.map(() => ({ low: 0, high: 1 }));
    const pointAt = (row: number, share: number): Point => {
      const { clip, point } = beyond[row] ?? { clip: 0, point: new Map() };
      return between(this.clean[clip] ?? point, point, share);
    };
    for (let halving = 0; halving <= halvings; halving += 1) {
      const shares = ends.map(({ low, high }, row) => (halving === 0 ? (guesses[row] ?? 0.5) : (low + high) / 2));
      const margins = await this.#questions.margins(
        rows,
        shares.map((share, row) => pointAt(row, share)),
      );
      for (const [row, end] of ends.entries()) {
        if (this.#isReached(margins[row])) end.high = shares[row] ?? 1;
        else end.low = shares[row] ?? 0;
      }
    }
    return beyond.map(({ clip }, row) => ({ clip, point: pointAt(row, ends[row]?.high ?? 1) }));
  }
}

/** An older heading and a gradient times a factor. */
const blended = (heading: Point, gradient: Point, factor: number): Point =>
  new Map(
    Array.from(gradient, ([name, slopes]) => {
      const older = heading.get(name);
      return [name, slopes.map((slope, index) => KEPT_HEADING * (older?.[index] ?? 0) + factor * slope)];
    }),
  );

/** From one point towards another: 0 stays, 1 arrives. */
const between = (from: Point, to: Point, share: number): Point =>
  new Map(
    Array.from(to, ([name, values]) => {
      const origin = from.get(name) ?? values;
      return [name, values.map((value, index) => (origin[index] ?? 0) + share * (value - (origin[index] ?? 0)))];
    }),
  );

function lengthOf(from: Float32Array, to: Float32Array, norm: ProbedClips['norm']): number {
  let length = 0;
  for (const [index, value] of to.entries()) {
    const delta = Math.abs(value - (from[index] ?? 0));
    length = norm === 'linf' ? Math.max(length, delta) : length + delta * delta;
  }
  return norm === 'linf' ? length : Math.sqrt(length);
}

const scaleOf = ({ variables, norm }: ProbedClips, clean: Point, point: Point): number =>
  Math.max(
    ...variables.map(({ name, rho }) => {
      const values = point.get(name) ?? new Float32Array();
      return lengthOf(clean.get(name) ?? values, values, norm) / rho;
    }),
  );

/** The nearest point whose distance is at most the radius (L-inf: coordinate by coordinate; L2: along the line). */
function inBall(centre: Float32Array, point: Float32Array, radius: number, norm: ProbedClips['norm']): Float32Array {
  if (norm === 'linf') {
    return point.map((value, index) => {
      const origin = centre[index] ?? 0;
      return Math.min(origin + radius, Math.max(origin - radius, value));
    });
  }
  const share = Math.min(1, radius / (lengthOf(centre, point, norm) || 1));
  return point.map((value, index) => (centre[index] ?? 0) + share * (value - (centre[index] ?? 0)));
}
