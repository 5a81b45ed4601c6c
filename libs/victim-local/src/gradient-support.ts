import { type Inspection, inspect, type Verdict } from '@faultline/autodiff';
import { inference, type victim } from '@faultline/contracts';
import {
  checkGraph,
  type Graph,
  inlineBranches,
  type Model,
  OnnxError,
  standardModel,
  valueNames,
} from '@faultline/onnx';
import { dryRun } from '@faultline/ort';

const VERDICTS: Readonly<Record<Verdict, inference.GradientVerdict>> = {
  'white-box': inference.GradientVerdict.GRADIENT_VERDICT_WHITE_BOX,
  'white-box with estimation': inference.GradientVerdict.GRADIENT_VERDICT_ESTIMATION,
  'black-box only': inference.GradientVerdict.GRADIENT_VERDICT_BLACK_BOX,
};

const { GRADIENT_VERDICT_BLACK_BOX } = inference.GradientVerdict;

/** What becomes of the gradients of a composed victim's logits: for each input, and each tap of its card. */
export async function gradientSupport(card: victim.Card, model: Model): Promise<inference.GradientSupport> {
  const made = valueNames(model.graph);
  const values = new Map(card.inputs.map(({ name }) => [name, name]));
  for (const { name, value } of card.taps) if (made.has(value)) values.set(name, value);
  const seen = await inspectTyped(model, card.logits, [...new Set(values.values())]).catch((error: unknown) => {
    if (error instanceof OnnxError) return error;
    throw error;
  });
  const variables = Array.from(values, ([variable, value]) => ({ variable, ...verdictOn(seen, value) }));
  const inputs = variables.slice(0, card.inputs.length);
  return {
    // The enumeration runs from the best to the worst.
    verdict: Math.max(...inputs.map(({ verdict }) => verdict)) as inference.GradientVerdict,
    variables,
    estimatedOperators: seen instanceof OnnxError ? [] : estimatedOperators(seen),
  };
}

/** Inspects with the types of a dry run: forms that a rule does not cover show too, and branches on sizes are taken. */
async function inspectTyped(model: Model, output: string, wrt: readonly string[]): Promise<Inspection> {
  const { graph } = standardModel(model);
  checkGraph(graph);
  const types = await dryRun(graph);
  const inlined: Graph = inlineBranches(graph, types);
  return inspect({ graph: inlined, types: inlined === graph ? types : await dryRun(inlined), output, wrt });
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
