import { tmpdir } from 'node:os';
import { z } from 'zod';

const MAX_DECODERS = 64;
const DEFAULT_DECODERS = 2;
const DEFAULT_TIME_LIMIT_MS = 10_000;
const DEFAULT_MEMORY_LIMIT_MIB = 768;
/** Enough for the answer of the largest size, some times over. */
const MIN_MEMORY_LIMIT_MIB = 256;
const DEFAULT_UPLOAD_LIMIT_MIB = 512;
/** Two uploads of the largest size, thousands of clips. */
const DEFAULT_SPOOL_MIB = 1024;

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
  uploadLimitMib: z.coerce
    .number()
    .int()
    .min(1)
    .default(DEFAULT_UPLOAD_LIMIT_MIB)
    .describe('Largest media file in MiB that ExtractStream takes.'),
  spoolDir: z.string().min(1).default(tmpdir()).meta({
    description: 'Folder for media files while they wait and are decoded.',
    defaultText: 'the folder for temporary files',
  }),
  spoolMib: z.coerce
    .number()
    .int()
    .min(1)
    .default(DEFAULT_SPOOL_MIB)
    .describe('Media in MiB that may lie in that folder at once.'),
});

export type FeaturesConfig = z.output<typeof featuresConfig>;
