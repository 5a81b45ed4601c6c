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

/** Which draw of an example's noise. */
export interface NoiseDraw {
  /** Name of the noise slot. */
  readonly name: string;
  /** 0 for the first start. */
  readonly restart: number;
  /** The step within the restart and the sample within the step; undefined for the draw that the init program reads. */
  readonly evaluation?: { readonly step: number; readonly sample: number } | undefined;
}

/** Odd multipliers of murmur3's finaliser: they part steps and samples from restarts and from each other. */
const STEP_STRIDE = 0x85ebca6b;
const SAMPLE_STRIDE = 0xc2b2ae35;

/**
 * Fills `target` with independent noise: uniform in [-1, 1), signs, or normal with mean 0 and variance 1 (Box-Muller on tables of 2^16
 * radii and angles: logarithms and cosines would take longer than the attack's own arithmetic).
 * @param key 64-bit key of the example
 */
export function fillNoise(
  target: Float32Array,
  key: bigint,
  { name, restart, evaluation }: NoiseDraw,
  distribution: NoiseDistribution,
): void {
  const low = triple32(Number(key & 0xffffffffn) ^ hashName(name));
  const start = triple32(Number(key >> 32n) + Math.imul(restart + 1, GOLDEN_RATIO));
  const high = evaluation === undefined ? start : within(start, evaluation);
  const bits = (position: number) => triple32(triple32(position + low) ^ high);
  switch (distribution) {
    case 'uniform':
      for (let i = 0; i < target.length; i++) target[i] = bits(i) * TWO_TO_MINUS_31;
      return;
    case 'signs':
      for (let i = 0; i < target.length; i++) target[i] = bits(i) < 0 ? -1 : 1;
      return;
    case 'normal':
      fillNormal(target, bits);
  }
}

const within = (start: number, { step, sample }: { readonly step: number; readonly sample: number }) =>
  triple32(triple32(start + Math.imul(step + 1, STEP_STRIDE)) + Math.imul(sample + 1, SAMPLE_STRIDE));

function fillNormal(target: Float32Array, bits: (position: number) => number): void {
  for (let i = 0; i < target.length; i += 2) {
    const drawn = bits(i);
    const radius = RADII[drawn & TABLE_MASK] ?? 0;
    const angle = drawn >>> TABLE_BITS;
    target[i] = radius * (COSINES[angle] ?? 0);
    if (i + 1 < target.length) target[i + 1] = radius * (COSINES[(angle - QUARTER_TURN) & TABLE_MASK] ?? 0);
  }
}
