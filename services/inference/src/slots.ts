import { FaultlineError } from '@faultline/service-kit';

/** Places for attack loops; each holds a batch in memory, so they are few. */
export class Slots {
  readonly #capacity: number;
  #used = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Takes a place, given back on disposal. @throws FaultlineError resource_exhausted when all are taken. */
  take(): Disposable {
    if (this.#used >= this.#capacity) {
      throw new FaultlineError(
        'resource_exhausted',
        `all ${this.#capacity} optimise slots are taken; try another replica, or again later`,
      );
    }
    this.#used++;
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#used--;
        held = false;
      },
    };
  }
}
