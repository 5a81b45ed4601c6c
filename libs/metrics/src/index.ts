export {
  type BootstrapOptions,
  bootstrapInterval,
  type DifferenceOptions,
  type Interval,
  type MeanDifference,
  meanDifferences,
} from './bootstrap.ts';
export {
  type BudgetMeasure,
  coefficientWeights,
  perturbationSize,
  referenceSize,
  type Weighting,
} from './budget-measure.ts';
export {
  type Censoring,
  type CriticalEpsilons,
  criticalQuantile,
  ladderCensoring,
  medianCritical,
  robustAccuracy,
  robustnessScore,
} from './critical.ts';
export { fourierTransform } from './fourier.ts';
export { holmAdjusted } from './holm.ts';
export { binFrequencyHz, cosineAtoms, hopOf, lappedCoefficients, lappedPositions } from './lapped-cosine.ts';
export { gatedLoudness, kWeighting, kWeightingGain, ungatedLoudness } from './loudness.ts';
export { dPrime, type RankingFigures, rankingFigures, type ScoredSet, type UndefinedLabel } from './macro.ts';
export { maskingThresholds } from './masking.ts';
export { normalInverseCdf } from './normal.ts';
export {
  firstOutside,
  type PerturbationNorms,
  peakSignalToNoiseDb,
  perturbationNorms,
  signalToNoiseDb,
} from './perturbation.ts';
export { seededRandom } from './random.ts';
export { areaUnderCurve, averagePrecision, type LabelScores } from './ranking.ts';
export { type LabelPrecision, labelPrecisions, type SlicePrecision, slicePrecisions } from './slices.ts';
