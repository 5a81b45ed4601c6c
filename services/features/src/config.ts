import { z } from 'zod';

const MAX_DECODERS = 64;
const DEFAULT_DECODERS = 2;
const DEFAULT_TIME_LIMIT_MS = 10_000;
const DEFAULT_MEMORY_LIMIT_MIB = 768;
/** A media file of the largest size passes through a decoder in a few copies. */
const MIN_MEMORY_LIMIT_MIB = 256;

/** What the features service can be told through FAULTLINE_* variables, beside the common ones. */
export const featuresConfig = z.object({
  decoders: z.coerce
    .number()
    .int()
    .min(1)
    .max(MAX_DECODERS)
    .default(DEFAULT_DECODERS)
    .describe('Decoder processes, which is how many media files are decoded at once.'),
  decodeTimeLimitMs: z.coerce
    .number()
    .int()
    .min(1)
    .default(DEFAULT_TIME_LIMIT_MS)
    .describe('Longest time in milliseconds that one media file may take to decode.'),
  decoderMemoryMib: z.coerce
    .number()
    .int()
    .min(MIN_MEMORY_LIMIT_MIB)
    .default(DEFAULT_MEMORY_LIMIT_MIB)
    .describe('Memory in MiB that one decoder process may take for media.'),
});

export type FeaturesConfig = z.output<typeof featuresConfig>;
