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
