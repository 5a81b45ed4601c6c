const GOLDEN_RATIO = 0x9e3779b9;

/**
 * Seeded uniform numbers in [0, 1): Mulberry32 (T. Ettinger), 32 bits of state. Good enough to resample, not to keep secrets.
 * @param seed integer; its low 53 bits count.
 */
export function seededRandom(seed: number): () => number {
  let state = (Math.imul(seed / 2 ** 32, GOLDEN_RATIO) ^ seed) | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
