const GOLDEN_RATIO = 0x9e3779b9;
const FNV_START = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

/** A mixing of 32 bits in which every input bit reaches every output bit (lowbias32, C. Wellons). */
function mix(word: number): number {
  let hash = word;
  hash = Math.imul(hash ^ (hash >>> 16), 0x7feb352d);
  hash = Math.imul(hash ^ (hash >>> 15), 0x846ca68b);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Random numbers as a pure function of (seed, name, index): the counter-based kind, so that a draw depends on nothing drawn before.
 * Good enough to initialise and to sample; not for secrets.
 */
export class CounterRandom {
  readonly #key: number;

  /** @param seed integer; its low 32 bits count. */
  constructor(seed: number, name: string) {
    let hash = FNV_START;
    for (let index = 0; index < name.length; index++) hash = Math.imul(hash ^ name.charCodeAt(index), FNV_PRIME);
    this.#key = mix(mix(seed | 0) ^ hash);
  }

  /** Uniform in [0, 1). */
  uniform(index: number): number {
    const low = mix(this.#key ^ Math.imul(index, GOLDEN_RATIO));
    return mix(low + this.#key + Math.floor(index / 2 ** 32)) / 2 ** 32;
  }

  /** Standard normal, by Box and Muller. */
  normal(index: number): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform(2 * index)));
    return radius * Math.cos(2 * Math.PI * this.uniform(2 * index + 1));
  }

  /** Fills an array with draws from [-1, 1): a stream of its own (xorshift32, Marsaglia, 2003), several times as fast as single draws. */
  fillSigned(values: Float32Array): void {
    let state = mix(this.#key) || GOLDEN_RATIO;
    for (let index = 0; index < values.length; index++) {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      values[index] = state / 2 ** 31;
    }
  }

  /** A whole number in [0, count). */
  below(index: number, count: number): number {
    return Math.floor(this.uniform(index) * count);
  }
}
