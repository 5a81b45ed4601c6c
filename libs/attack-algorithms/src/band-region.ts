/**
 * A linear subspace of the waveforms of one input: the sums of those atoms of a lapped cosine basis whose frequency and support are
 * free. Atom (t, k), k = 0 .. hop - 1, stands on the samples t hop .. (t + 2) hop - 1. The basis is orthonormal, so that projecting is
 * analysis, selection, synthesis.
 */
export interface BandRegion {
  /** M, in samples: half the length of an atom, and the distance of one to the next. */
  readonly hop: number;
  /** The free frequencies, as atoms: [2 hop, bins], a column a frequency. */
  readonly atoms: Float32Array;
  readonly bins: number;
  /** Positions that atoms may start at: 0, hop, .. (positions - 1) hop. At least 1. */
  readonly positions: number;
  /** 1 where an atom may stand, 0 where not; [positions]. */
  readonly free: Float32Array;
}

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
