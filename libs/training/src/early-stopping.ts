/** What is known of the validations so far; plain data, kept in checkpoints. */
export interface ValidationRecord {
  readonly best: number;
  readonly bestStep: number;
  /** Validations since the best one. */
  readonly since: number;
}

export const NO_VALIDATION: ValidationRecord = { best: Number.NEGATIVE_INFINITY, bestStep: 0, since: 0 };

/** The record after one more validation; ties keep the earlier one. */
export function afterValidation(record: ValidationRecord, step: number, figure: number): ValidationRecord {
  if (figure > record.best) return { best: figure, bestStep: step, since: 0 };
  return { ...record, since: record.since + 1 };
}
