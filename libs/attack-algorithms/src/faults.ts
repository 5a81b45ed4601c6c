/** One field that cannot be used: its path in attack.v1alpha1.AttackRequest, and what is wrong and what to do. */
export interface Violation {
  readonly field: string;
  readonly description: string;
}

/** A request that cannot be run, with all its faults. */
export class AttackRequestError extends Error {
  override name = 'AttackRequestError';
  readonly violations: readonly Violation[];

  constructor(violations: readonly Violation[]) {
    super(violations.map(({ field, description }) => `${field}: ${description}`).join('; '));
    this.violations = violations;
  }
}

/** Collects what is wrong with a request, so that its sender learns all of it at once. */
export class Faults {
  readonly violations: Violation[] = [];

  get any(): boolean {
    return this.violations.length > 0;
  }

  add(field: string, description: string): void {
    this.violations.push({ field, description });
  }

  /** Adds a fault where the condition does not hold; returns the condition. */
  unless(holds: boolean, field: string, description: string): boolean {
    if (!holds) this.add(field, description);
    return holds;
  }
}
