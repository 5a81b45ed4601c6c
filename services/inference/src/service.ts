import { encodeTensor, type inference } from '@faultline/contracts';
import { FaultlineError, type Handlers } from '@faultline/service-kit';
import type { Compute } from './compute.ts';
import { costMessage, ownTensor, tensorOf } from './messages.ts';
import { optimize } from './optimize.ts';
import type { Slots } from './slots.ts';

/** InferenceService on one victim. */
export function inferenceHandlers(compute: Compute, slots: Slots): Handlers<typeof inference.InferenceServiceService> {
  const { description } = compute;
  return {
    describe: () => Promise.resolve({ ...description, gradient: description.gradient }),
    predict: async (request, context) => {
      const { sha256 } = description.card;
      if (request.modelSha256 !== '' && request.modelSha256 !== sha256) {
        throw new FaultlineError(
          'failed_precondition',
          `the caller expects model ${request.modelSha256} but this service holds ${sha256}; describe it again`,
        );
      }
      const inputs = new Map(
        request.inputs.map(({ name, tensor }) => [name, ownTensor(tensorOf(tensor, `inputs[${name}]`))]),
      );
      const prediction = await compute.run({ kind: 'predict', inputs }, context.signal);
      context.span.setAttribute('faultline.examples', prediction.cost.forwardExamples);
      return {
        logits: encodeTensor(prediction.logits),
        modelSha256: prediction.modelSha256,
        cost: costMessage(prediction.cost),
      };
    },
    optimize: (requests, context) => optimize(compute, slots, requests, context),
  };
}
