import { jsonOf, targetAddress } from '@faultline/service-kit';
import { z } from 'zod';
import { isOipAddress } from './oip-address.ts';

/** Longer than loops of usual size take, shorter than a caller's patience. */
const DEFAULT_SLOT_WAIT_SECONDS = 60;

/** Where a victim is. */
const victimAddress = z
  .string()
  .refine(
    (address) => isOipAddress(address) || targetAddress.safeParse(address).success,
    'expected host:port, a gRPC target such as dns:///inference:5000, or oip:host:port/model?card=path',
  );

/** What the attack service can be told through FAULTLINE_* variables, beside the common ones. */
export const attackConfig = z.object({
  victims: jsonOf(z.record(z.string().min(1), victimAddress)).describe(
    'JSON map: victim name -> address of its inference service; several replicas as `dns:///name:port` or `ipv4:host:port,host:port`. A black box: `oip:host:port/model?card=path`.',
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
