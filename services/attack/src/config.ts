import { jsonOf } from '@faultline/service-kit';
import { z } from 'zod';

/** What the attack service can be told through FAULTLINE_* variables, beside the common ones. */
export const attackConfig = z.object({
  victims: jsonOf(z.record(z.string().min(1), z.string().min(1))).describe(
    'JSON map: victim name -> address of its inference service.',
  ),
});

export type AttackConfig = z.output<typeof attackConfig>;
