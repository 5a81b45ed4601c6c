import { FaultlineError } from '@faultline/service-kit';

/** Counts queries (rows of a batch) before they are sent, and refuses those beyond a budget. */
export class QueryCount {
  readonly #budget: number;
  #sent = 0;

  /** `budget`: most queries in all; undefined: any number. */
  constructor(budget = Number.POSITIVE_INFINITY) {
    this.#budget = budget;
  }

  get sent(): number {
    return this.#sent;
  }

  /** @throws FaultlineError failed_precondition, before anything is sent, when the budget does not cover so many more. */
  send(rows: number): void {
    if (this.#sent + rows > this.#budget) {
      throw new FaultlineError(
        'failed_precondition',
        `the query budget is spent: ${this.#sent} of ${this.#budget} queries were sent, and ${rows} more were to follow; raise the budget, or ask for fewer queries`,
      );
    }
    this.#sent += rows;
  }
}
