import type { FusionVariant } from '@faultline/fusion';
import type { TrainingBatch } from '@faultline/training';

/**
 * What a victim is trained to tell: a fusion, all that is heard or seen; a single modality, what it can know, for the rest would
 * be noise to it. Every victim is measured on the former.
 */
export function targetsFor(fusion: FusionVariant, batch: TrainingBatch): Float32Array {
  switch (fusion) {
    case 'audio':
      return batch.audioTargets;
    case 'visual':
      return batch.visualTargets;
    default:
      return batch.targets;
  }
}
