export { DECOMPOSITIONS } from './decompositions/index.ts';
export { type DifferentiateOptions, differentiate, MissingRuleError } from './differentiate.ts';
export {
  type CheckedDirection,
  type CheckedVariable,
  type GradcheckOptions,
  type GradcheckReport,
  gradcheck,
  type OpenGraph,
} from './gradcheck/gradcheck.ts';
export type { Evidence, Outcome } from './gradcheck/judgement.ts';
export {
  type InspectedNode,
  type Inspection,
  type InspectOptions,
  inspect,
  type Treatment,
  type Verdict,
} from './inspect.ts';
export type { Rule, RuleContext } from './rule.ts';
export { type DifferentiableOp, ESTIMATES, RULES, STOPS } from './rules/index.ts';
