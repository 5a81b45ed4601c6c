import type { Weighting } from '@faultline/metrics';

/**
 * The perturbations of a waveform whose size is that of weighted coefficients in the lapped cosine basis: sums of the free atoms of `lappedCoefficients`
 * (libs/metrics), which stand wholly inside the input. The basis is orthonormal, so that sizes, projections and steepest directions are exact.
 */
export interface WeightedRegion {
  /** What the weights are; those of masking are each clip's own. */
  readonly weighting: Weighting;
  /** M, in samples: half the length of an atom, and the distance of one to the next. */
  readonly hop: number;
  /** Atoms of all bins, [2 hop, hop], a column a bin. */
  readonly atoms: Float32Array;
  /** Positions of atoms, those that stand half outside the input included. */
  readonly positions: number;
  /** 1 where an atom may stand, 0 where not; [positions, hop]. */
  readonly free: Float32Array;
}
