import { addressMap } from '@faultline/service-kit';
import { z } from 'zod';

/** What the attack service can be told through FAULTLINE_* variables, beside the common ones. */
export const attackConfig = z.object({
  victims: addressMap.describe('JSON map: victim name -> address of its inference service.'),
});

export type AttackConfig = z.output<typeof attackConfig>;
