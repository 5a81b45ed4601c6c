import type { Value } from '../dims.ts';
import type { RuleContext } from '../rule.ts';

/**
 * Writes a node's outputs by operators that have rules, in the order of the outputs; the node is replaced by them before
 * the graph is differentiated. Outputs that the node leaves out may be undefined. The context knows no gradients.
 */
export type Decomposition = (context: RuleContext) => readonly (Value | undefined)[];
