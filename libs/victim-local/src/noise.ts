/**
 * Counter-based noise: every value is a function of (key, stream, position) alone, so that an example gets the same noise in
 * whatever batch it stands, and the first n of N restarts are the n restarts.
 *
 * The mixing function is Chris Wellons' `triple32` (hash-prospector, exact bias 0.0208), applied twice with the key's halves.
 */
export type NoiseDistribution = 'uniform' | 'normal';

const GOLDEN_RATIO = 0x9e3779b9;
const TWO_TO_MINUS_31 = 2 ** -31;
const TWO_TO_MINUS_32 = 2 ** -32;

function triple32(value: number): number {
  let x = value;
  x ^= x >>> 17;
  x = Math.imul(x, 0xed5ad4bb);
  x ^= x >>> 11;
  x = Math.imul(x, 0xac4c1b51);
  x ^= x >>> 15;
  x = Math.imul(x, 0x31848bab);
  return x ^ (x >>> 14);
}

/** A 32-bit hash of a name, FNV-1a. */
function hashName(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(name, 'utf8')) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash;
}

/**
 * Fills `target` with independent noise: uniform in [-1, 1), or normal with mean 0 and variance 1 (Box-Muller).
 * @param key 64-bit key of the example
 * @param variable name of the variable that is perturbed
 * @param restart 0 for the first start
 */
export function fillNoise(
  target: Float32Array,
  key: bigint,
  variable: string,
  restart: number,
  distribution: NoiseDistribution,
): void {
  const low = triple32(Number(key & 0xffffffffn) ^ hashName(variable));
  const high = triple32(Number(key >> 32n) + Math.imul(restart + 1, GOLDEN_RATIO));
  const bits = (position: number) => triple32(triple32(position + low) ^ high);
  if (distribution === 'uniform') {
    for (let i = 0; i < target.length; i++) target[i] = bits(i) * TWO_TO_MINUS_31;
    return;
  }
  for (let i = 0; i < target.length; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(((bits(i) >>> 0) + 1) * TWO_TO_MINUS_32));
    const angle = 2 * Math.PI * (bits(i + 1) >>> 0) * TWO_TO_MINUS_32;
    target[i] = radius * Math.cos(angle);
    if (i + 1 < target.length) target[i + 1] = radius * Math.sin(angle);
  }
}
