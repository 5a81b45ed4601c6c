import { createHash } from 'node:crypto';
import type { victim } from '@faultline/contracts';
import type { Measured } from '../write-victim.ts';

/** The card of a quantised victim: that of its original, with its own name, digest and figures. Its multiply-accumulates stay the same. */
export function quantizedCard(
  original: victim.Card,
  model: Uint8Array,
  { labels, operatingPoint, logitScale, metrics }: Measured,
  provenance: string,
): victim.Card {
  return {
    ...original,
    name: `${original.name}-int8`,
    title: `${original.title}; quantised to 8 bits after training`,
    sha256: createHash('sha256').update(model).digest('hex'),
    labels: [...labels],
    operatingPoint,
    logitScale,
    metrics: [...metrics],
    // Measured of the original; its training cost was paid for this one too.
    seedSpread: undefined,
    robustness: [],
    provenance: `${provenance}; from ${original.name}, sha256 ${original.sha256} (${original.provenance})`,
  };
}
