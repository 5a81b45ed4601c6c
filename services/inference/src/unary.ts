import { encodeTensor, inference } from '@faultline/contracts';
import { type CallContext, FaultlineError } from '@faultline/service-kit';
import type { DifferentiateRequest, NamedLoss, VictimDescription } from '@faultline/victim';
import type { Compute } from './compute.ts';
import { checkContext, costMessage, floatTensorOf, namedTensors, ownTensors, parametersOf, shown } from './messages.ts';
import { checkModel, checkProtocol } from './preconditions.ts';
import { requireGradient } from './require-gradient.ts';

/** Logits of a batch, and the taps asked for. */
export async function predict(
  compute: Compute,
  request: inference.PredictRequest,
  { signal, span }: CallContext,
): Promise<inference.PredictResponse> {
  const { description } = compute;
  checkContext(request.context, 'context');
  checkModel(request.modelSha256, description);
  checkNames(
    request.taps,
    'taps',
    description.card.taps.map(({ name }) => name),
  );
  checkNames(
    request.tapValues.map(({ name }) => name),
    'tap_values',
    description.card.taps.map(({ name }) => name),
  );
  const inputs = ownTensors(request.inputs, 'inputs');
  const tapValues = ownTensors(request.tapValues, 'tap_values');
  const prediction = await compute.run({ kind: 'predict', inputs, taps: request.taps, tapValues }, signal);
  span.setAttribute('faultline.examples', prediction.cost.forwardExamples);
  return {
    logits: encodeTensor(prediction.logits),
    modelSha256: prediction.modelSha256,
    cost: costMessage(prediction.cost),
    taps: namedTensors(prediction.taps),
  };
}

/** Gradients at a batch. */
export async function differentiate(
  compute: Compute,
  request: inference.DifferentiateRequest,
  { signal, span }: CallContext,
): Promise<inference.DifferentiateResponse> {
  const { description } = compute;
  checkContext(request.context, 'context');
  checkModel(request.modelSha256, description);
  requireGradient(description, request.variables);
  const gradients = await compute.run({ kind: 'differentiate', request: toRequest(request, description) }, signal);
  span.setAttribute('faultline.examples', gradients.cost.forwardExamples);
  return {
    gradients: namedTensors(gradients.gradients),
    loss: encodeTensor(gradients.loss),
    logits: encodeTensor(gradients.logits),
    modelSha256: gradients.modelSha256,
    cost: costMessage(gradients.cost),
  };
}

const LOSSES: Readonly<Record<number, NamedLoss>> = {
  [inference.NamedLoss.NAMED_LOSS_MARGIN]: 'margin',
  [inference.NamedLoss.NAMED_LOSS_BCE]: 'bce',
  [inference.NamedLoss.NAMED_LOSS_CE]: 'ce',
  [inference.NamedLoss.NAMED_LOSS_LOGIT_SUM]: 'logit_sum',
};

function objectiveOf({ objective, protocolVersion }: inference.DifferentiateRequest): NamedLoss | Uint8Array {
  switch (objective?.$case) {
    case 'loss': {
      const loss = LOSSES[objective.value];
      if (loss === undefined)
        throw FaultlineError.invalid('loss', `is ${objective.value}; give MARGIN, BCE, CE or LOGIT_SUM`);
      return loss;
    }
    case 'program':
      checkProtocol(protocolVersion);
      return Uint8Array.from(objective.value);
    default:
      throw FaultlineError.invalid('objective', 'is not set; give a loss or a program');
  }
}

function toRequest(request: inference.DifferentiateRequest, { card }: VictimDescription): DifferentiateRequest {
  const known = [...card.inputs, ...card.taps].map(({ name }) => name);
  if (request.variables.length === 0)
    throw FaultlineError.invalid('variables', `is empty; name at least one of ${known.join(', ')}`);
  checkNames(request.variables, 'variables', known);
  const objective = objectiveOf(request);
  const targets = floatTensorOf(request.targets, 'targets');
  return {
    inputs: ownTensors(request.inputs, 'inputs'),
    targets: { dims: targets.dims, data: targets.data.slice() },
    objective,
    variables: request.variables,
    parameters: parametersOf(request.parameters, 'parameters'),
    constants: ownTensors(request.constants, 'constants'),
    straightThrough: request.straightThrough,
  };
}

/** Throws for a name that is not known, or stands twice. */
function checkNames(names: readonly string[], field: string, known: readonly string[]): void {
  for (const [index, name] of names.entries()) {
    const path = `${field}[${index}]`;
    if (!known.includes(name))
      throw FaultlineError.invalid(path, `'${shown(name)}' is not known; there are ${known.join(', ') || 'none'}`);
    if (names.indexOf(name) !== index) throw FaultlineError.invalid(path, `'${name}' is named twice`);
  }
}
