/** A card that cannot be used; the message names the field, its value and the remedy. */
export class CardError extends Error {
  override name = 'CardError';
  /** Path of the field, for instance "inputs[0].waveform.samples". */
  readonly field: string;

  constructor(field: string, problem: string, options?: ErrorOptions) {
    super(`card field '${field}': ${problem}`, options);
    this.field = field;
  }
}

/** @throws CardError unless the condition holds. */
export function require(condition: boolean, field: string, problem: string): void {
  if (!condition) throw new CardError(field, problem);
}
