import type { inference } from '@faultline/contracts';
import type { Handlers } from '@faultline/service-kit';
import { checkContext } from './messages.ts';
import { optimize, type Serving } from './optimize.ts';
import { differentiate, predict } from './unary.ts';

/** InferenceService on one victim. */
export function inferenceHandlers(serving: Serving): Handlers<typeof inference.InferenceServiceService> {
  const { compute, admission } = serving;
  const { description } = compute;
  return {
    describe: async ({ context }) => {
      checkContext(context, 'context');
      return {
        ...description,
        gradient: description.gradient,
        taps: (description.taps ?? []).map(({ name, dims }) => ({ name, dims: [...dims] })),
        optimizeBytes: admission.bytes,
      };
    },
    predict: (request, context) => predict(compute, request, context),
    differentiate: (request, context) => differentiate(compute, request, context),
    optimize: (requests, context) => optimize(serving, requests, context),
  };
}
