/** How long work takes, learnt from what was done; work is weighed in multiply-accumulate operations. */
export class Pace {
  readonly #msPerWeight = new Map<string, number>();
  readonly #ofVictim = new Map<string, number>();
  #latest: number | undefined;

  /** Work of this weight, for this victim under this threat model, took so long. */
  observe(victim: string, threatModel: string, weight: number, milliseconds: number): void {
    this.#latest = milliseconds / weight;
    this.#ofVictim.set(victim, this.#latest);
    this.#msPerWeight.set(`${victim}/${threatModel}`, this.#latest);
  }

  /** Work took so long and was not done: what comes next will take no less. */
  observeUnfinished(victim: string, threatModel: string, weight: number, milliseconds: number): void {
    const known = this.#msPerWeight.get(`${victim}/${threatModel}`) ?? 0;
    this.#msPerWeight.set(`${victim}/${threatModel}`, Math.max(known, milliseconds / weight));
  }

  /**
   * Milliseconds that work will take: at its own pace so far, else at that of the victim's other work, else at that of another
   * victim; undefined: nothing is known yet.
   */
  estimate(victim: string, threatModel: string, weight: number): number | undefined {
    const pace = this.#msPerWeight.get(`${victim}/${threatModel}`) ?? this.#ofVictim.get(victim) ?? this.#latest;
    return pace === undefined ? undefined : pace * weight;
  }
}
