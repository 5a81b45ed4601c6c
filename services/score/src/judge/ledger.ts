import type { CriticalScale } from '@faultline/report';

/** Where a clip's smallest verified success comes from. */
interface Best {
  readonly scale: number;
  readonly attack: string | null;
}

/**
 * The best verified result of each clip, over all attacks of one threat model: the smallest scale that reached its goal.
 * Larger budgets include the successes of smaller ones, so curves drawn from it fall by construction.
 */
export class Ledger {
  readonly #best: (Best | null)[];
  /** By clip, scales of searches that were tried without success. */
  readonly #failures = new Map<number, number[]>();

  /** @param reachedWhenClean for each clip, whether it had the goal before any attack: its critical scale is 0. */
  constructor(reachedWhenClean: readonly boolean[]) {
    this.#best = reachedWhenClean.map((reached) => (reached ? { scale: 0, attack: null } : null));
  }

  /** Records a verified success; returns true when it is the clip's best so far. Of equal ones the first stays. */
  record(clip: number, scale: number, attack: string): boolean {
    const known = this.#best[clip];
    if (known === undefined) throw new RangeError(`clip ${clip} is not in the ledger`);
    if (known !== null && known.scale <= scale) return false;
    this.#best[clip] = { scale, attack };
    return true;
  }

  /** Records the scales up to which a search found nothing. */
  recordFailures(scales: ReadonlyMap<number, number>): void {
    for (const [clip, scale] of scales) this.#failures.set(clip, [...(this.#failures.get(clip) ?? []), scale]);
  }

  /** Smallest verified scale of each clip; null: none. */
  get criticals(): readonly (number | null)[] {
    return this.#best.map((best) => best?.scale ?? null);
  }

  /** The search interval of each clip: of all scales tried, those of a ladder among them, the largest below its success. */
  intervals(ladder: readonly number[]): CriticalScale[] {
    return this.#best.map((best, clip) => {
      const below = [...ladder, ...(this.#failures.get(clip) ?? [])].filter(
        (scale) => best === null || scale < best.scale,
      );
      return { triedWithout: Math.max(0, ...below), critical: best?.scale ?? null, attack: best?.attack ?? null };
    });
  }
}
