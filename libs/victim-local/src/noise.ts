import type { NoiseDistribution } from '@faultline/victim';

/**
 * Counter-based noise: every value is a function of (key, stream, position) alone, so that an example gets the same noise in
 * whatever batch it stands, and the first n of N restarts are the n restarts.
 *
 * The mixing function is Chris Wellons' `triple32` (hash-prospector, exact bias 0.0208), applied twice with the key's halves.
 */
const GOLDEN_RATIO = 0x9e3779b9;
const TWO_TO_MINUS_31 = 2 ** -31;

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

/** Radius and angle of a normal pair take 16 bits each: radii end at 4.85, once in 131,072 draws. */
const TABLE_BITS = 16;
const TABLE_SIZE = 2 ** TABLE_BITS;
const TABLE_MASK = TABLE_SIZE - 1;
const QUARTER_TURN = TABLE_SIZE / 4;

/** Quantiles of the radius of a pair of standard normals, at the middle of each of 65,536 equally likely classes. */
const RADII = Float32Array.from({ length: TABLE_SIZE }, (_, i) => Math.sqrt(-2 * Math.log((i + 0.5) / TABLE_SIZE)));
const COSINES = Float32Array.from({ length: TABLE_SIZE }, (_, i) => Math.cos((2 * Math.PI * (i + 0.5)) / TABLE_SIZE));

/**
 * Fills `target` with independent noise: uniform in [-1, 1), or normal with mean 0 and variance 1 (Box-Muller on tables of 2^16 radii
 * and angles: logarithms and cosines would take longer than the attack's own arithmetic).
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
  if (distribution === 'signs') {
    for (let i = 0; i < target.length; i++) target[i] = bits(i) < 0 ? -1 : 1;
    return;
  }
  if (distribution === 'uniform') {
    for (let i = 0; i < target.length; i++) target[i] = bits(i) * TWO_TO_MINUS_31;
    return;
  }
  for (let i = 0; i < target.length; i += 2) {
    const drawn = bits(i);
    const radius = RADII[drawn & TABLE_MASK] ?? 0;
    const angle = drawn >>> TABLE_BITS;
    target[i] = radius * (COSINES[angle] ?? 0);
    if (i + 1 < target.length) target[i + 1] = radius * (COSINES[(angle - QUARTER_TURN) & TABLE_MASK] ?? 0);
  }
}
