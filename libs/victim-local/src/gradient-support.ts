import { type Inspection, inspect, type Verdict } from '@faultline/autodiff';
import { inference, type victim } from '@faultline/contracts';
import { type Model, OnnxError, standardModel, valueNames } from '@faultline/onnx';
import { settleBranches } from '@faultline/ort';

const VERDICTS: Readonly<Record<Verdict, inference.GradientVerdict>> = {
  'white-box': inference.GradientVerdict.GRADIENT_VERDICT_WHITE_BOX,
  'white-box with estimation': inference.GradientVerdict.GRADIENT_VERDICT_ESTIMATION,
  'black-box only': inference.GradientVerdict.GRADIENT_VERDICT_BLACK_BOX,
};

const { GRADIENT_VERDICT_BLACK_BOX } = inference.GradientVerdict;

/** A composed victim as it is computed, and what attacks may use of it. */
export interface ExaminedVictim {
  /** Branches that follow from sizes are taken. */
  readonly model: Model;
  readonly gradient: inference.GradientSupport;
}

/** Runs a composed victim on neutral inputs and inspects what becomes of its logits' gradients: for each input, and each tap of its card. */
export async function examineVictim(card: victim.Card, composed: Model): Promise<ExaminedVictim> {
  const standard = standardModel(composed);
  const settled = await settleBranches(standard.graph).catch((error: unknown) => {
    if (error instanceof OnnxError) return error;
    throw error;
  });
  const model = settled instanceof OnnxError ? standard : { ...standard, graph: settled.graph };
  const made = valueNames(model.graph);
  const values = new Map(card.inputs.map(({ name }) => [name, name]));
  for (const { name, value } of card.taps) if (made.has(value)) values.set(name, value);
  // Forms that a rule does not cover show by the types of all values.
  const seen =
    settled instanceof OnnxError
      ? settled
      : inspect({ ...settled, output: card.logits, wrt: [...new Set(values.values())] });
  const variables = Array.from(values, ([variable, value]) => ({ variable, ...verdictOn(seen, value) }));
  const inputs = variables.slice(0, card.inputs.length);
  const gradient = {
    // The enumeration runs from the best to the worst.
    verdict: Math.max(...inputs.map(({ verdict }) => verdict)) as inference.GradientVerdict,
    variables,
    estimatedOperators: seen instanceof OnnxError ? [] : estimatedOperators(seen),
  };
  return { model, gradient };
}

function verdictOn(
  seen: Inspection | OnnxError,
  value: string,
): { verdict: inference.GradientVerdict; reason: string } {
  if (seen instanceof OnnxError) return { verdict: GRADIENT_VERDICT_BLACK_BOX, reason: seen.message };
  const found = seen.variables.find(({ name }) => name === value);
  if (found === undefined)
    return { verdict: GRADIENT_VERDICT_BLACK_BOX, reason: 'a branch that is never taken holds it' };
  return { verdict: VERDICTS[found.verdict], reason: found.reason ?? '' };
}

const estimatedOperators = (seen: Inspection) =>
  [...new Set(seen.operators.filter(({ treatment }) => treatment === 'straight-through').map(({ op }) => op))].sort();
