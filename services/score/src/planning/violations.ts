import { FaultlineError, type FieldViolation } from '@faultline/service-kit';

/** Notes what is wrong with one field, and what to do about it. */
export type Report = (field: string, description: string) => void;

/** Everything that is wrong with a request, so that it can be said at once. */
export class Violations {
  readonly #found: FieldViolation[] = [];

  readonly report: Report = (field, description) => {
    this.#found.push({ field, description });
  };

  /** @throws FaultlineError invalid_argument with all violations, when there are any. */
  refuse(): void {
    if (this.#found.length === 0) return;
    const text = this.#found.map(({ field, description }) => `${field}: ${description}`).join('; ');
    throw new FaultlineError('invalid_argument', text, { violations: this.#found });
  }
}

export function isWholeBetween(value: number, low: number, high: number): boolean {
  return Number.isSafeInteger(value) && value >= low && value <= high;
}
