export { type DifferentiateOptions, differentiate, MissingRuleError } from './differentiate.ts';
export type { Rule, RuleContext } from './rule.ts';
export { type DifferentiableOp, RULES, STOPS } from './rules/index.ts';
