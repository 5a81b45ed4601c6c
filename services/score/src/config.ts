import { addressMap, targetAddress } from '@faultline/service-kit';
import { z } from 'zod';

/** About a thousand clips of two seconds. */
const DEFAULT_INPUT_CACHE_BYTES = 256 * 1024 * 1024;

/** Configuration of the score service, beside what all services share. */
export const scoreConfig = z.object({
  victims: addressMap.describe('JSON map: victim name -> address of its inference service.'),
  featuresAddress: targetAddress.describe('Address of the features service.'),
  attackAddress: targetAddress.describe('Address of the attack service.'),
  runsDir: z.string().min(1).describe('Folder for the database and the files of each run.'),
  clipsDir: z.string().min(1).describe('Folder of the default clip set (manifest.json); subfolders hold further sets.'),
  artefactDir: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of the artefact store; give the attack service the same. Unset: artefacts in the runs folder.'),
  inputCacheBytes: z.coerce
    .number()
    .int()
    .min(0)
    .default(DEFAULT_INPUT_CACHE_BYTES)
    .describe(
      'Memory for extracted inputs, kept between campaigns and calls, in bytes; the least recently used go first.',
    ),
});

export type ScoreConfig = z.output<typeof scoreConfig>;
