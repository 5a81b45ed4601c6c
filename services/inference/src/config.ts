import { availableParallelism } from 'node:os';
import { z } from 'zod';

/** Attack loops served at once: one computes while the next uploads. */
const DEFAULT_SLOTS = 2;

export const inferenceConfig = z.object({
  victimDir: z.string().min(1).describe('Folder of the victim: card.json and the ONNX model that it names.'),
  threads: z.coerce
    .number()
    .int()
    .min(1)
    .default(availableParallelism())
    .meta({ description: 'Threads of one evaluation.', defaultText: 'all processors' }),
  optimizeSlots: z.coerce.number().int().min(1).max(64).default(DEFAULT_SLOTS).describe('Attack loops served at once.'),
});
