import { type Inspection, inspect } from '@faultline/autodiff';
import { OnnxError, type ValueType } from '@faultline/onnx';
import { type InputMaker, settleBranches } from '@faultline/ort';
import { type LookedAt, type LookOptions, lookAt } from './plain-model.ts';

/** What becomes of gradients in a model, node by node. */
export interface ModelInspection {
  readonly inspection: Inspection;
  /** The value that is differentiated. */
  readonly output: string;
  /**
   * Whether the model ran, so that the types of all values are known; if not, forms of operators that a rule does not cover do not show, and
   * why it did not run.
   */
  readonly ran: true | string;
}

/** Inputs of a look, at one example whatever the batch that is asked for. */
export const sampleMaker =
  ({ sample }: LookedAt, seed = 1): InputMaker =>
  (input) => {
    const tensor = sample(seed).get(input.name);
    if (tensor === undefined) throw new OnnxError(`input '${input.name}' has no value`);
    return tensor;
  };

/**
 * Inspects a victim's folder or an ONNX file.
 * @throws as `lookAt`
 */
export async function inspectModel(target: string, options: LookOptions = {}): Promise<ModelInspection> {
  const looked = await lookAt(target, options);
  const [output = ''] = looked.outputs;
  const settled = await settleBranches(looked.graph, sampleMaker(looked)).catch((error: unknown) => {
    if (error instanceof Error) return error;
    throw error;
  });
  const [graph, types]: [typeof looked.graph, ReadonlyMap<string, ValueType> | undefined] =
    settled instanceof Error ? [looked.graph, undefined] : [settled.graph, settled.types];
  const wrt = looked.variables;
  const inspection = inspect(types === undefined ? { graph, output, wrt } : { graph, types, output, wrt });
  return { inspection, output, ran: settled instanceof Error ? settled.message : true };
}
