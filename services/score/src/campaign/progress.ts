/** How far a campaign is. */
export interface ProgressState {
  /** Share of the planned work that is done, in [0, 1]; never goes back. */
  readonly progress: number;
  /** Negative: not known yet. */
  readonly remainingSeconds: number;
  /** What it is doing now, for people. */
  readonly activity: string;
}

/** A piece of planned work that has begun. */
export interface Work {
  /** This share of it is done, in [0, 1]; a smaller share than before changes nothing. */
  advance(share: number): void;
  done(): void;
}

/** Before this much work is done an estimate says more about start-up than about the campaign. */
const LEAST_SHARE_FOR_ESTIMATE = 0.02;

/** Adds up work of known weights, pieces of which may overlap, and estimates the rest from the pace so far. */
export class ProgressMeter {
  readonly #total: number;
  readonly #now: () => number;
  readonly #onChange: (state: ProgressState) => void;
  readonly #startedAt: number;
  #done = 0;
  #activity = '';

  /**
   * @param total weight of all planned work, above 0.
   * @param onChange called at every change.
   * @param now a clock in milliseconds.
   */
  constructor(total: number, onChange: (state: ProgressState) => void, now: () => number = () => performance.now()) {
    this.#total = total;
    this.#onChange = onChange;
    this.#now = now;
    this.#startedAt = now();
  }

  get state(): ProgressState {
    const progress = Math.min(1, this.#done / this.#total);
    const elapsedSeconds = (this.#now() - this.#startedAt) / 1000;
    const remainingSeconds = progress < LEAST_SHARE_FOR_ESTIMATE ? -1 : (elapsedSeconds * (1 - progress)) / progress;
    return { progress, remainingSeconds, activity: this.#activity };
  }

  /** Begins a piece of the planned work; `activity` says what it is, unless it runs beside something else. */
  begin(weight: number, activity?: string): Work {
    let share = 0;
    if (activity !== undefined) {
      this.#activity = activity;
      this.#onChange(this.state);
    }
    const advance = (next: number): void => {
      if (!(next > share)) return;
      this.#done += weight * (Math.min(1, next) - share);
      share = Math.min(1, next);
      this.#onChange(this.state);
    };
    return { advance, done: () => advance(1) };
  }
}
