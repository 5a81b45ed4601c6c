import type { Victim } from '@faultline/victim';
import type { AttackPlan, NormName } from './attack.ts';
import { type ExampleEvidence, totals } from './evidence.ts';
import type { CleanSize } from './float32-bounds.ts';
import { type Candidate, type LadderBatch, type LadderExample, LadderLoop, type LoopProgress } from './ladder-loop.ts';
import type { MinimumNormExample, ScaledVariable } from './minimum-norm.ts';
import type { ClipSearch } from './minimum-norm-loop.ts';
import { budgetOf } from './variable-size.ts';

/** Scales of one clip that a round tries at once; the bracket shrinks to the 1 / (PROBES + 1)-th power of its ratio. */
export const PROBES = 5;

/** Rounds of a search: from the first bracket, a factor of 4, four more leave 0.5 %. */
const ROUNDS = 5;

/** Ratio of neighbouring scales where the smaller end of the bracket is not known: the first round spans a factor of 4^(PROBES - 1) downwards. */
const OPEN_RATIO = 4;

/** A bracket this narrow is not searched further; fixed-budget attacks are no more exact. */
const NARROW = 1.005;

/** A budget of a clip that is tried. */
interface Probe extends MinimumNormExample {
  readonly scale: number;
}

export interface BisectionLoopOptions {
  readonly victim: Victim;
  readonly attack: AttackPlan;
  readonly examples: readonly MinimumNormExample[];
  readonly norm: NormName;
  readonly variables: readonly ScaledVariable[];
  readonly restarts: number;
  readonly tolerance: number;
  readonly signal?: AbortSignal | undefined;
  /** Sizes of a clip's clean variables, for rounding budgets inward. */
  clean(example: MinimumNormExample): ReadonlyMap<string, CleanSize>;
  /** What a loop over these examples opens with. */
  loop(examples: readonly MinimumNormExample[]): LadderBatch;
}

interface Bracket {
  readonly example: MinimumNormExample;
  /** Largest scale without success below `high`. */
  low: number;
  /** Smallest scale with success. */
  high: number;
  best: Candidate | undefined;
  /** Of all rounds together; a point of its path is where a round ended, its step the points that were evaluated until then. */
  evidence: ExampleEvidence;
}

const NO_EVIDENCE = { member: 0, evaluations: 0, lowestMargin: Number.NaN, rises: 0, path: [], gradients: new Map() };

/**
 * Makes a fixed-budget attack one of minimum norm: tries a short ladder of scales for each clip, then ladders inside the bracket that is left.
 * A success at one scale spares the larger ones. Clips that no scale reaches are tried up to the largest one, once.
 */
export class BisectionLoop {
  readonly #options: BisectionLoopOptions;
  readonly #brackets: readonly Bracket[];

  constructor(options: BisectionLoopOptions) {
    this.#options = options;
    this.#brackets = options.examples.map((example) => ({
      example,
      low: 0,
      high: Number.POSITIVE_INFINITY,
      best: undefined,
      evidence: { ...NO_EVIDENCE, clip: example.clip, bestByRestart: [] },
    }));
  }

  /** The most steps, summed over examples, that a search of so many clips takes; `steps`: of one run of the attack. */
  static mostSteps(clips: number, steps: number): number {
    return clips * PROBES * ROUNDS * steps;
  }

  /** One for each clip, ascending. */
  get searches(): readonly ClipSearch[] {
    return this.#brackets.map(({ example: { clip }, low, best }) => ({ clip, failedScale: low, found: best }));
  }

  /** What the outcomes told, one entry a clip. */
  get evidence(): readonly ExampleEvidence[] {
    return this.#brackets.map(({ evidence }) => evidence);
  }

  async *run(): AsyncGenerator<LoopProgress> {
    const { attack, restarts } = this.#options;
    for (let round = 0; round < ROUNDS; round += 1) {
      const open = this.#brackets.filter((bracket) => this.#isOpen(bracket, round));
      if (open.length === 0) return;
      const roundsLeft = ROUNDS - 1 - round;
      const later = BisectionLoop.mostSteps(open.length, attack.steps * restarts) * (roundsLeft / ROUNDS);
      const probes = open.flatMap((bracket) => this.#probes(bracket, round));
      const ladder = this.#ladder(probes);
      for await (const progress of ladder.run()) yield { ...progress, stepsLeft: progress.stepsLeft + later };
      this.#narrow(open, probes, ladder);
    }
  }

  #isOpen({ low, high, example }: Bracket, round: number): boolean {
    if (round === 0) return true;
    if (high === 0) return false;
    return Number.isFinite(high) ? low === 0 || high > NARROW * low : low < example.largestScale;
  }

  /** Ascending scales between the ends of a bracket; downwards from the end that is known where the other is not. */
  #probes({ example, low, high }: Bracket, round: number): Probe[] {
    const scales = Array.from({ length: PROBES }, (_, index) => {
      const known = low > 0 && Number.isFinite(high);
      if (known) return low * (high / low) ** ((index + 1) / (PROBES + 1));
      const top = Number.isFinite(high) ? high / OPEN_RATIO : example.largestScale;
      // A first look at the clean point: what is off already is at scale 0.
      if (round === 0 && index === 0) return 0;
      return top / OPEN_RATIO ** (PROBES - 1 - index);
    });
    return scales.map((scale) => ({ ...example, scale }));
  }

  #ladder(probes: readonly Probe[]): LadderLoop {
    const { victim, attack, restarts, tolerance, signal, norm, variables, loop, clean } = this.#options;
    const examples = probes.map((probe, index): LadderExample => {
      const sizes = clean(probe);
      const budget = new Map(
        variables.flatMap((variable) => {
          const size = sizes.get(variable.name);
          if (size === undefined) return [];
          return [[variable.name, budgetOf(variable, norm, probe.scale * variable.rho, size)]];
        }),
      );
      return { clip: probe.clip, rung: index, stopsEarly: true, budget };
    });
    return new LadderLoop({ victim, attack, loop: loop(probes), examples, restarts, tolerance, signal });
  }

  #narrow(open: readonly Bracket[], probes: readonly Probe[], ladder: LadderLoop): void {
    const successes = new Map(ladder.early.map((candidate) => [candidate.clip, candidate]));
    for (const bracket of open) {
      const { clip } = bracket.example;
      const success = successes.get(clip);
      const smallest = success === undefined ? Number.POSITIVE_INFINITY : (probes[success.rung]?.scale ?? Number.NaN);
      if (success !== undefined) [bracket.best, bracket.high] = [success, smallest];
      const failed = probes.filter((probe) => probe.clip === clip && probe.scale < smallest);
      bracket.low = Math.max(bracket.low, ...failed.map(({ scale }) => scale));
      const { evidence: known, high } = bracket;
      const sum = totals([known, ...ladder.evidence().filter((example) => example.clip === clip)]);
      const end = { step: sum.evaluations, margin: bracket.best?.margin ?? sum.lowestMargin, best: high };
      const reached = Number.isFinite(high) ? { restart: 0, step: end.step } : undefined;
      const told = { reached: known.reached ?? reached, path: [...known.path, end], bestByRestart: [high] };
      bracket.evidence = { ...known, ...sum, ...told };
    }
  }
}
