export { applyUniversal, type Perturbations, universalNoise } from './apply-universal.ts';
export type { AttackDefinition, AttackKind, AttackKnowledge, NormName } from './attack.ts';
export type { ChoiceParameter, NumberParameter, ParameterSpec, ParameterSpecs } from './attack-parameters.ts';
export { type CatalogueRow, catalogue, needsSurrogate } from './catalogue.ts';
export { goalKinds } from './check-goal.ts';
export { type CriticalScales, criticalScales } from './critical-scales.ts';
export type { ExampleEvidence, GradientEvidence, PathPoint, PointIndex } from './evidence.ts';
export { AttackRequestError, type Violation } from './faults.ts';
export { inwardEpsilon } from './float32-bounds.ts';
export { type AskedShifts, askedShifts, HELD_OUT_ONSETS, heldOutShifts, shiftSound } from './held-out-shifts.ts';
export { AttackNumericError } from './ladder-loop.ts';
export { leavesRegion } from './region-verdict.ts';
export { type AttackRun, checkRun } from './request.ts';
export {
  type AttackEvent,
  type AttackOptions,
  ModelMismatchError,
  type RungCandidates,
  runAttack,
} from './run-attack.ts';
export type { SearchInterval, SearchResult } from './search.ts';
export { type TransferVictims, transferAttack } from './transfer-attack.ts';
export type { UniversalDefinition, UniversalNorm, UniversalResult } from './universal.ts';
