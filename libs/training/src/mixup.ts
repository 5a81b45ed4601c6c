import { CounterRandom } from './counter-random.ts';
import type { TrainingBatch } from './training-batch.ts';

/**
 * Mixup (Zhang et al., 2018): each clip becomes lambda x itself + (1 - lambda) x another clip of the batch, its targets too.
 * lambda ~ Beta(alpha, alpha), at least one half, so that a clip stays mostly itself. A pure function of (seed, step, batch).
 * @throws RangeError when alpha is not above 0.
 */
export function mixup(
  batch: TrainingBatch,
  alpha: number,
  at: { readonly seed: number; readonly step: number },
): TrainingBatch {
  if (!(alpha > 0)) throw new RangeError(`mixup is ${alpha}; give a number above 0`);
  const { size } = batch;
  const random = new CounterRandom(at.seed, `mixup/${at.step}`);
  const order = shuffled(size, random);
  const shares = Array.from({ length: size }, (_, clip) => {
    const share = symmetricBeta(alpha, new CounterRandom(at.seed, `mixup/${at.step}/${clip}`));
    return Math.max(share, 1 - share);
  });
  const mixed = (values: Float32Array): Float32Array => {
    const each = values.length / size;
    const result = new Float32Array(values.length);
    const row = (from: Float32Array, clip: number) => from.subarray(clip * each, (clip + 1) * each);
    for (const [clip, share] of shares.entries()) {
      const [itself, other, target] = [row(values, clip), row(values, order[clip] ?? 0), row(result, clip)];
      for (let at = 0; at < each; at++) target[at] = share * (itself[at] ?? 0) + (1 - share) * (other[at] ?? 0);
    }
    return result;
  };
  return {
    size,
    inputs: Object.fromEntries(Object.entries(batch.inputs).map(([name, values]) => [name, mixed(values)])),
    targets: mixed(batch.targets),
    audioTargets: mixed(batch.audioTargets),
    visualTargets: mixed(batch.visualTargets),
  };
}

function shuffled(size: number, random: CounterRandom): number[] {
  const order = Array.from({ length: size }, (_, index) => index);
  for (let last = size - 1; last > 0; last--) {
    const chosen = random.below(last, last + 1);
    const [a = 0, b = 0] = [order[last], order[chosen]];
    order[last] = b;
    order[chosen] = a;
  }
  return order;
}

/** Draws tried; each pair is accepted with a probability of at least 1/2 for alpha up to 1 (Johnk, 1964). */
const TRIES = 200;

/** Beta(alpha, alpha) by Johnk's method, which suits the small alphas of mixup; one half when no pair was accepted. */
function symmetricBeta(alpha: number, random: CounterRandom): number {
  for (let attempt = 0; attempt < TRIES; attempt++) {
    const x = random.uniform(2 * attempt) ** (1 / alpha);
    const y = random.uniform(2 * attempt + 1) ** (1 / alpha);
    if (x + y > 0 && x + y <= 1) return x / (x + y);
  }
  return 1 / 2;
}
