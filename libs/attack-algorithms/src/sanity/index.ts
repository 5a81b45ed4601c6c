export { type Assessment, type AssessOptions, assess } from './assess.ts';
export { type AssessedClips, clipsInMemory } from './assessed-clips.ts';
export { type BoundaryPoint, type BoundaryWalkOptions, boundaryWalk } from './boundary-walk.ts';
export { type GradientProbe, type ProbeOptions, probeGradients } from './gradient-probe.ts';
export {
  type ClipEvidence,
  type Finding,
  findingsOf,
  INDICATORS,
  type Indicator,
  type IndicatorName,
  type VerifiedScales,
} from './indicators.ts';
export type { Point, ProbedClips } from './probed-clips.ts';
export { REMEDIES, type Remedy, type RemedyOptions } from './remedies.ts';
export type { DirectionNorm, MovingVariable } from './steepest-point.ts';
