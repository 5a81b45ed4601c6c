import type { openInference, victim } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { exampleDims } from '@faultline/victim';

/** Axis sizes of metadata: -1 stands for any. */
const fits = (shape: readonly number[], dims: readonly number[]) =>
  shape.length === dims.length && shape.every((size, axis) => size < 0 || size === dims[axis]);

/**
 * Holds a server's metadata against the card that the configuration gives the model.
 * @throws FaultlineError failed_precondition naming the tensor that does not fit.
 */
export function checkMetadata(
  { inputs, outputs }: openInference.ModelMetadataResponse,
  card: victim.Card,
  output: string,
): void {
  const refuse = (problem: string) => {
    throw new FaultlineError('failed_precondition', `${problem}; correct the card`);
  };
  const [taken, named] = [inputs.map(({ name }) => name), card.inputs.map(({ name }) => name)];
  if (taken.toSorted().join() !== named.toSorted().join())
    refuse(`takes the inputs ${taken.join(', ')}, where the card names ${named.join(', ')}`);
  for (const input of card.inputs) {
    const dims = exampleDims(input);
    const { datatype = '', shape = [] } = inputs.find(({ name }) => name === input.name) ?? {};
    if (datatype !== 'FP32') refuse(`input '${input.name}' is ${datatype}, where FP32 is sent`);
    if (!fits(shape.slice(1), dims))
      refuse(`input '${input.name}' is [${shape.join(', ')}], where the card says [batch, ${dims.join(', ')}]`);
  }
  if (!outputs.some(({ name }) => name === output)) {
    const given = outputs.map(({ name }) => name).join(', ');
    refuse(`has no output '${output}' (it has ${given}), which the card names as 'logits'`);
  }
}
