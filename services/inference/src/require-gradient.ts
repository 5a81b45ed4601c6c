import { inference } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { VictimDescription } from '@faultline/victim';

/**
 * Refuses work that needs gradients of these variables where the victim has none: at the opening, before anything is uploaded.
 * @throws FaultlineError failed_precondition that names the variable and the operator in the way.
 */
export function requireGradient({ card, gradient }: VictimDescription, variables: readonly string[]): void {
  const blocked = gradient?.variables.find(
    ({ variable, verdict }) =>
      verdict === inference.GradientVerdict.GRADIENT_VERDICT_BLACK_BOX && variables.includes(variable),
  );
  if (blocked === undefined) return;
  throw new FaultlineError(
    'failed_precondition',
    `victim '${card.name}' gives no gradient with respect to '${blocked.variable}' (${blocked.reason}); attack it with an attack that ` +
      'needs predictions alone, or attack another variable',
  );
}
