import { inlineBranches } from './branches.ts';
import { promoteFloat16 } from './float16.ts';
import { rewriteFused } from './fused.ts';
import type { Model } from './model.ts';
import { upgradeModel } from './upgrade.ts';

/**
 * The form of a model that is differentiated: standard operators of one operator set, single precision, branches on
 * constants taken, fused operators written out.
 * @throws OnnxError when the model's operator set is out of reach or it holds training forms.
 */
export function standardModel(model: Model): Model {
  const upgraded = rewriteFused(promoteFloat16(upgradeModel(model)));
  return { ...upgraded, graph: inlineBranches(upgraded.graph) };
}
