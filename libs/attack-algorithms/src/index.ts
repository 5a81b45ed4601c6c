export type { AttackDefinition, NormName } from './attack.ts';
export { catalogue } from './catalogue.ts';
export { inwardEpsilon } from './float32-bounds.ts';
export { AttackNumericError } from './ladder-loop.ts';
export { AttackRequestError, type AttackRun, checkRun, normName, type Violation } from './request.ts';
export { type AttackEvent, ModelMismatchError, type RungCandidates, runAttack } from './run-attack.ts';
