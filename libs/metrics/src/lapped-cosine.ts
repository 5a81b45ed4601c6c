/** Time resolution that speech and music processing commonly uses; frequency resolution is then about 31 Hz. */
const HOP_SECONDS = 0.016;

/** The power of two samples that is nearest to 16 ms. */
export function hopOf(sampleRateHz: number): number {
  return 2 ** Math.max(0, Math.round(Math.log2(sampleRateHz * HOP_SECONDS)));
}

/** Centre frequency of atoms of bin k. */
export function binFrequencyHz(bin: number, hop: number, sampleRateHz: number): number {
  return ((bin + 0.5) * sampleRateHz) / (2 * hop);
}

/**
 * Atoms of these bins in float64, [2 hop][bins] row-major: sine window x cosine, the modified discrete cosine transform.
 * Source: Princen, Johnson, Bradley 1987, "Subband/transform coding using filter bank designs based on time domain aliasing
 * cancellation"; with the sine window it is orthonormal (Malvar 1990, "Lapped transforms for efficient transform/subband coding").
 */
export function cosineAtoms(hop: number, bins: readonly number[]): Float64Array {
  const atoms = new Float64Array(2 * hop * bins.length);
  const scale = Math.sqrt(2 / hop);
  for (let n = 0; n < 2 * hop; n += 1) {
    const window = Math.sin((Math.PI * (n + 0.5)) / (2 * hop));
    for (const [column, k] of bins.entries()) {
      const phase = (Math.PI / hop) * (n + 0.5 + hop / 2) * (k + 0.5);
      atoms[n * bins.length + column] = scale * window * Math.cos(phase);
    }
  }
  return atoms;
}

/**
 * Coefficients of a waveform in the whole basis, in float64, [positions][hop] row-major: position p stands on the samples (p - 1) hop .. (p + 1) hop - 1, of which those
 * outside the waveform are silent, p = 0 .. ceil(samples / hop). Their sum of squares is that of the samples.
 */
export function lappedCoefficients(samples: ArrayLike<number>, hop: number): Float64Array {
  const atoms = wholeBasis(hop);
  const positions = lappedPositions(samples.length, hop);
  const coefficients = new Float64Array(positions * hop);
  for (let position = 0; position < positions; position += 1) {
    const row = coefficients.subarray(position * hop, (position + 1) * hop);
    for (let n = 0; n < 2 * hop; n += 1) {
      const sample = samples[(position - 1) * hop + n] ?? 0;
      if (sample === 0) continue;
      for (let bin = 0; bin < hop; bin += 1) row[bin] = (row[bin] ?? 0) + sample * (atoms[n * hop + bin] ?? 0);
    }
  }
  return coefficients;
}

/** Positions of `lappedCoefficients`. */
export const lappedPositions = (samples: number, hop: number): number => Math.ceil(samples / hop) + 1;

/** The atoms of all bins, kept for the few hops that there are. */
const bases = new Map<number, Float64Array>();

function wholeBasis(hop: number): Float64Array {
  const known = bases.get(hop);
  if (known !== undefined) return known;
  const atoms = cosineAtoms(
    hop,
    Array.from({ length: hop }, (_, bin) => bin),
  );
  bases.set(hop, atoms);
  return atoms;
}
