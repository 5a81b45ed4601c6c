import type { CriticalScale } from '@faultline/report';

/**
 * The best verified result of each clip, over all attacks of one threat model: the smallest scale that reached its goal.
 * Larger budgets include the successes of smaller ones, so curves drawn from it fall by construction.
 */
export class Ledger {
  readonly #critical: (number | null)[];

  /** @param offWhenClean for each clip, whether it was off before any attack: its critical scale is 0. */
  constructor(offWhenClean: readonly boolean[]) {
    this.#critical = offWhenClean.map((off) => (off ? 0 : null));
  }

  /** Records a verified success; returns true when it is the clip's best so far. */
  record(clip: number, scale: number): boolean {
    const known = this.#critical[clip];
    if (known === undefined) throw new RangeError(`clip ${clip} is not in the ledger`);
    if (known !== null && known <= scale) return false;
    this.#critical[clip] = scale;
    return true;
  }

  /** Smallest verified scale of each clip; null: none. */
  get criticals(): readonly (number | null)[] {
    return this.#critical;
  }

  /** The search interval of each clip on a ladder of these ascending scales. */
  intervals(scales: readonly number[]): CriticalScale[] {
    return this.#critical.map((critical) => ({
      triedWithout: scales.findLast((scale) => critical === null || scale < critical) ?? 0,
      critical,
    }));
  }
}
