export { Answers, type Decision, type Prompt, type Question } from './answers.ts';
export { checkVictim, type VictimCheck } from './check-victim.ts';
export { gradcheckModel, type ModelGradcheck } from './gradcheck.ts';
export { type InitCardOptions, type InitCardResult, initCard } from './init-card.ts';
export { inspectModel, type ModelInspection } from './inspect-model.ts';
export { OnboardingError } from './onboarding-error.ts';
export type { LookOptions } from './plain-model.ts';
export { type TriedAttack, tryAttack } from './try-attack.ts';
