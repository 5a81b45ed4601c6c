export { Answers, type Decision, type Prompt, type Question } from './answers.ts';
export { type InitCardOptions, type InitCardResult, initCard } from './init-card.ts';
export { OnboardingError } from './onboarding-error.ts';
