import { inlineBranches } from './branches.ts';
import { promoteFloat16 } from './float16.ts';
import { rewriteFused } from './fused/index.ts';
import { describeNode, type Model, OnnxError } from './model.ts';
import { selectBranches } from './select-branches.ts';
import { inlineSequences } from './sequences.ts';
import { NEW_OPERATORS, upgradeModel } from './upgrade.ts';

/**
 * The form of a model that is differentiated: standard operators of one operator set, single precision, branches on
 * constants taken, those on elements chosen between, fused operators and sequences of tensors written out.
 * @throws OnnxError when the model's operator set is out of reach or it holds training forms, or operators that came
 *   after operator set 21 in forms that older ones cannot write.
 */
export function standardModel(model: Model): Model {
  const upgraded = rewriteFused(promoteFloat16(upgradeModel(model)));
  const left = upgraded.graph.nodes.find(({ op, domain }) => domain === '' && NEW_OPERATORS.has(op));
  if (left !== undefined) {
    throw new OnnxError(
      `${describeNode(left)} came after opset 21, in a form that older operators do not write (the model is of opset ${model.opset}): export it without`,
    );
  }
  return { ...upgraded, graph: inlineSequences(selectBranches(inlineBranches(upgraded.graph))) };
}
