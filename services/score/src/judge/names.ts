import { attack } from '@faultline/contracts';
import type { NormName, StoppingName } from '@faultline/report';

const NORM_NAMES: Readonly<Record<number, NormName>> = {
  [attack.Norm.NORM_LINF]: 'linf',
  [attack.Norm.NORM_L2]: 'l2',
  [attack.Norm.NORM_L1]: 'l1',
  [attack.Norm.NORM_L0]: 'l0',
};

/** Whether a budget can be measured in this norm. */
export function isKnownNorm(norm: attack.Norm): boolean {
  return NORM_NAMES[norm] !== undefined;
}

/** @throws RangeError for a norm that is not known; requests with one are refused. */
export function normName(norm: attack.Norm): NormName {
  const name = NORM_NAMES[norm];
  if (name === undefined) throw new RangeError(`norm ${norm} is not known`);
  return name;
}

export function stoppingName(stopping: attack.Stopping): StoppingName {
  return stopping === attack.Stopping.STOPPING_NEVER ? 'never' : 'early';
}
