import { addressMap } from '@faultline/service-kit';
import { z } from 'zod';

/** Longer than loops of usual size take, shorter than a caller's patience. */
const DEFAULT_SLOT_WAIT_SECONDS = 60;

/** What the attack service can be told through FAULTLINE_* variables, beside the common ones. */
export const attackConfig = z.object({
  victims: addressMap.describe(
    'JSON map: victim name -> address of its inference service; several replicas as `dns:///name:port` or `ipv4:host:port,host:port`.',
  ),
  artefactDir: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of the artefact store, for tensors by reference; unset: raw tensors only.'),
  slotWaitSeconds: z.coerce
    .number()
    .min(0)
    .default(DEFAULT_SLOT_WAIT_SECONDS)
    .describe(
      'How long a loop waits for a free slot of its victim, over all replicas; a deadline of the call may end it earlier.',
    ),
});

export type AttackConfig = z.output<typeof attackConfig>;
