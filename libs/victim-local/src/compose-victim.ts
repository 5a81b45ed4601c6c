import type { victim } from '@faultline/contracts';
import {
  checkGraph,
  decodeModel,
  type Graph,
  joinGraphs,
  type Model,
  modelOf,
  OnnxError,
  renameValues,
  standardModel,
  type ValueInfo,
  valueNames,
} from '@faultline/onnx';
import { CardError, exampleDims } from '@faultline/victim';
import { freeBatch, isForOneExample } from './free-batch.ts';
import { checkDigests, type VictimFiles } from './victim-files.ts';

/** What stands before a model's input in a composed graph: the front end's output `model/X` is the model's input X. */
export const MODEL_PREFIX = 'model/';

const list = (names: Iterable<string>) => [...names].map((name) => `'${name}'`).join(', ');

/**
 * Front end, model and head of a victim as one model of standard operators: its inputs are those of the card, [batch, ...]; its
 * output is the card's `logits`. The model's values keep their names, its inputs become `model/X` behind a front end.
 * @throws CardError when the files are not the card's or do not fit together, OnnxError when one cannot be read.
 */
export function composeVictim(card: victim.Card, files: VictimFiles): Model {
  checkDigests(card, files);
  const body = composeBody(card, files);
  const head = files.head === undefined ? undefined : headGraph(card, files.head, body);
  if (!valueNames(head ?? body).has(card.logits)) {
    const where = head === undefined ? 'the model' : 'the head';
    throw new CardError('logits', `names '${card.logits}', which ${where} does not make`);
  }
  return modelOf(
    head === undefined
      ? { ...body, outputs: [output(card.logits)] }
      : joinGraphs([body, head], [output(card.logits)], body.name),
  );
}

const output = (name: string): ValueInfo => ({ name, dataType: 'unknown', dims: undefined });

/**
 * Front end and model of a victim as one graph, with the model's outputs; branches on what the front end says are taken.
 * @throws as composeVictim
 */
export function composeBody(
  card: Pick<victim.Card, 'inputs'>,
  files: Pick<VictimFiles, 'model' | 'frontEnd' | 'external'>,
): Graph {
  const whole = standardGraph(files.model, 'model', files.external);
  const model = isForOneExample(whole) ? freeBatch(whole) : whole;
  if (files.frontEnd === undefined) return { ...model, inputs: typedInputs(card, model) };
  const graphs = behindFrontEnd(card, files.frontEnd, model);
  const joined = joinGraphs(graphs, graphs[1].outputs, model.name);
  return standardModel(modelOf({ ...joined, inputs: typedInputs(card, joined) })).graph;
}

/** Reads a graph and writes it in the operator set that everything is composed in. */
function standardGraph(bytes: Uint8Array, what: string, external?: VictimFiles['external']): Graph {
  try {
    const model = decodeModel(bytes, external === undefined ? {} : { external });
    checkGraph(model.graph);
    return standardModel(model).graph;
  } catch (error) {
    if (error instanceof OnnxError && what !== 'model')
      throw new OnnxError(`${what}: ${error.message}`, { cause: error });
    throw error;
  }
}

function behindFrontEnd(card: Pick<victim.Card, 'inputs'>, bytes: Uint8Array, model: Graph): [Graph, Graph] {
  const frontEnd = standardGraph(bytes, 'front end');
  const given = new Set(card.inputs.map(({ name }) => name));
  const unknown = frontEnd.inputs.map(({ name }) => name).filter((name) => !given.has(name));
  if (unknown.length > 0)
    throw new CardError('inputs', `lists ${list(given)}, but the front end takes ${list(unknown)} too`);
  const outputs = new Set(frontEnd.outputs.map(({ name }) => name));
  const wanted = new Set(model.inputs.map(({ name }) => `${MODEL_PREFIX}${name}`));
  const missing = [...wanted].filter((name) => !outputs.has(name));
  if (missing.length > 0) throw new CardError('frontEnd', `its graph has no output ${list(missing)}`);
  const extra = [...outputs].filter((name) => !wanted.has(name));
  if (extra.length > 0)
    throw new CardError('frontEnd', `its graph has the output ${list(extra)}; outputs are ${list(wanted)}`);
  const inputs = new Set(model.inputs.map(({ name }) => name));
  return [
    renameValues(frontEnd, (name) => (given.has(name) || outputs.has(name) ? name : `front-end/${name}`)),
    renameValues(model, (name) => (inputs.has(name) || given.has(name) ? `${MODEL_PREFIX}${name}` : name)),
  ];
}

function headGraph(card: victim.Card, bytes: Uint8Array, body: Graph): Graph {
  const head = standardGraph(bytes, 'head');
  const inputs = new Set(head.inputs.map(({ name }) => name));
  const made = valueNames(body);
  const missing = [...inputs].filter((name) => !made.has(name));
  if (missing.length > 0)
    throw new CardError('head', `its graph reads ${list(missing)}, which the model does not make`);
  return renameValues(head, (name) => (inputs.has(name) || name === card.logits ? name : `head/${name}`));
}

/** The inputs in the card's order, with the sizes that the card states: the model may leave them open. */
function typedInputs(card: Pick<victim.Card, 'inputs'>, { inputs }: Graph): ValueInfo[] {
  const named = new Set(card.inputs.map(({ name }) => name));
  const actual = new Set(inputs.map(({ name }) => name));
  const open = [...actual].filter((name) => !named.has(name));
  const unused = [...named].filter((name) => !actual.has(name));
  if (open.length + unused.length > 0)
    throw new CardError('inputs', `names ${list(named)} but the graph takes ${list(actual)}`);
  return card.inputs.map((input) => {
    const declared = inputs.find(({ name }) => name === input.name);
    const dims = exampleDims(input);
    const sizes = declared?.dims;
    const fits =
      sizes === undefined ||
      (sizes.length === dims.length + 1 &&
        dims.every((size, axis) => sizes[axis + 1] === size || typeof sizes[axis + 1] === 'string'));
    if (!fits) {
      throw new CardError(
        'inputs',
        `'${input.name}' is [batch, ${dims.join(', ')}] in the card but [${sizes?.join(', ')}] in the graph`,
      );
    }
    if (declared?.dataType !== 'float32' && declared?.dataType !== 'unknown')
      throw new CardError('inputs', `'${input.name}' is ${declared?.dataType} in the graph; it must be float32`);
    return { name: input.name, dataType: 'float32', dims: ['batch', ...dims] };
  });
}
