import { z } from 'zod';

/** Attack loops served at once: one computes while the next uploads. */
const DEFAULT_SLOTS = 2;

const DEFAULT_IDLE_TIMEOUT_MS = 30_000;

const MEBIBYTE = 2 ** 20;

/** Bytes that compiled programs may keep beside those in use: a differentiated victim of some hundred MB stays warm between loops. */
const DEFAULT_SESSION_BYTES = 1024 * MEBIBYTE;

export const inferenceConfig = z.object({
  victimDir: z.string().min(1).describe('Folder of the victim: card.json and the ONNX model that it names.'),
  threads: z.coerce.number().int().min(1).optional().describe('Threads of one evaluation; default: all processors.'),
  optimizeSlots: z.coerce
    .number()
    .int()
    .min(1)
    .max(64)
    .default(DEFAULT_SLOTS)
    .describe('Attack loops served at once; one more is refused with RESOURCE_EXHAUSTED.'),
  loopBytes: z.coerce
    .number()
    .int()
    .min(MEBIBYTE)
    .optional()
    .describe(
      'Memory of all attack loops together, in bytes; default: half of what is free when the service starts, but at least 1 GiB.',
    ),
  sessionBytes: z.coerce
    .number()
    .int()
    .min(0)
    .default(DEFAULT_SESSION_BYTES)
    .describe('Memory that compiled programs keep while no loop uses them, in bytes.'),
  idleTimeoutMs: z.coerce
    .number()
    .int()
    .min(100)
    .max(3_600_000)
    .default(DEFAULT_IDLE_TIMEOUT_MS)
    .describe('An attack loop whose client is silent for this long is ended, in milliseconds.'),
});

/** A machine that is short of memory for a moment must not refuse ordinary loops for good. */
const LEAST_LOOP_BYTES = 1024 * MEBIBYTE;

/** Memory for loops where none is configured. Free memory is that of the control group where there is one. */
export const defaultLoopBytes = (freeBytes = process.availableMemory()): number =>
  Math.max(LEAST_LOOP_BYTES, Math.floor(freeBytes / 2));
