/** A second-order filter: y = (b0 x + b1 x' + b2 x'' - a1 y' - a2 y''), of the last values. */
export interface Biquad {
  readonly b: readonly [number, number, number];
  readonly a: readonly [number, number];
}

/**
 * The K weighting of ITU-R BS.1770-5, annex 1: a shelf for the head and a high pass. The recommendation gives coefficients for 48 kHz alone; these are those of its
 * analogue prototypes (De Man 2014, "Evaluation of implementations of the EBU R128 loudness measurement") at any rate, by the bilinear transform, and equal to
 * the recommendation's at 48 kHz.
 */
export function kWeighting(sampleRateHz: number): readonly [Biquad, Biquad] {
  const tangent = (hz: number) => Math.tan((Math.PI * Math.min(hz, 0.49 * sampleRateHz)) / sampleRateHz);
  const [shelfQ, gain] = [0.7071752369554196, 10 ** (3.999843853973347 / 20)];
  const [k, middle] = [tangent(1681.974450955533), gain ** 0.4996667741545416];
  const shelf = 1 + k / shelfQ + k * k;
  const [passQ, p] = [0.5003270373238773, tangent(38.13547087602444)];
  const pass = 1 + p / passQ + p * p;
  return [
    {
      b: [
        (gain + (middle * k) / shelfQ + k * k) / shelf,
        (2 * (k * k - gain)) / shelf,
        (gain - (middle * k) / shelfQ + k * k) / shelf,
      ],
      a: [(2 * (k * k - 1)) / shelf, (1 - k / shelfQ + k * k) / shelf],
    },
    { b: [1, -2, 1], a: [(2 * (p * p - 1)) / pass, (1 - p / passQ + p * p) / pass] },
  ];
}

/** |H(f)| of the K weighting. */
export function kWeightingGain(hz: number, sampleRateHz: number): number {
  const angle = (2 * Math.PI * hz) / sampleRateHz;
  const size = (c0: number, c1: number, c2: number) =>
    Math.hypot(c0 + c1 * Math.cos(angle) + c2 * Math.cos(2 * angle), c1 * Math.sin(angle) + c2 * Math.sin(2 * angle));
  return kWeighting(sampleRateHz).reduce((gain, { b, a }) => (gain * size(...b)) / size(1, ...a), 1);
}

function filtered(samples: Float64Array, { b: [b0, b1, b2], a: [a1, a2] }: Biquad): Float64Array {
  let [x1, x2, y1, y2] = [0, 0, 0, 0];
  return samples.map((x) => {
    const y = b0 * x + b1 * x1 + b2 * x2 - a1 * y1 - a2 * y2;
    [x1, x2, y1, y2] = [x, x1, y, y1];
    return y;
  });
}

/** Loudness of a K-weighted mean square: BS.1770-5, annex 1, equation 2. */
const OFFSET_DB = -0.691;
const loudnessOf = (meanSquare: number) => OFFSET_DB + 10 * Math.log10(meanSquare);

const BLOCK_SECONDS = 0.4;
const BLOCK_OVERLAP = 0.75;
const ABSOLUTE_GATE = -70;
const RELATIVE_GATE = -10;

function mean(values: readonly number[] | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

function weighted(samples: Float32Array | Float64Array, sampleRateHz: number): Float64Array {
  const squares = kWeighting(sampleRateHz).reduce(filtered, Float64Array.from(samples));
  return squares.map((value) => value * value);
}

/**
 * Programme loudness of a mono waveform in LKFS (LUFS), gated: ITU-R BS.1770-5, annex 1. Null where nothing passes the gates, and for less than a block of 400 ms.
 */
export function gatedLoudness(samples: Float32Array | Float64Array, sampleRateHz: number): number | null {
  const squares = weighted(samples, sampleRateHz);
  const block = Math.round(BLOCK_SECONDS * sampleRateHz);
  const step = Math.round(BLOCK_SECONDS * (1 - BLOCK_OVERLAP) * sampleRateHz);
  const powers: number[] = [];
  for (let start = 0; start + block <= squares.length; start += step) {
    powers.push(mean(squares.subarray(start, start + block)));
  }
  const loud = powers.filter((power) => loudnessOf(power) > ABSOLUTE_GATE);
  const gate = loudnessOf(mean(loud)) + RELATIVE_GATE;
  const kept = loud.filter((power) => loudnessOf(power) > gate);
  return kept.length === 0 ? null : loudnessOf(mean(kept));
}

/** Loudness of a mono waveform in LKFS as a whole, without gates: of perturbations, which lie below them. Null for silence. */
export function ungatedLoudness(samples: Float32Array | Float64Array, sampleRateHz: number): number | null {
  const power = mean(weighted(samples, sampleRateHz));
  return power > 0 ? loudnessOf(power) : null;
}
