import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { checkGraph, type Graph, inlineBranches, type Tensor, type ValueInfo } from '@faultline/onnx';
import { parseCard, type Tensors } from '@faultline/victim';
import { composeVictim, readVictimFiles } from '@faultline/victim-local';
import { readForeignModel } from './foreign-model.ts';
import { OnboardingError } from './onboarding-error.ts';
import { sampleInputs, seededUniform } from './sample-inputs.ts';
import { CARD_FILE } from './write-folder.ts';

/** A model to look at: a victim's folder, or an ONNX file alone. */
export interface LookedAt {
  /** One graph of standard operators. Of a folder: front end, model and head. */
  readonly graph: Graph;
  /** What is differentiated: a folder's logits, a file's outputs that are floating. */
  readonly outputs: readonly string[];
  /** What it is differentiated with respect to. */
  readonly variables: readonly string[];
  /** Inputs for one example, from a seed. */
  readonly sample: (seed: number) => ReadonlyMap<string, Tensor>;
  /** Folder or file. */
  readonly kind: 'victim' | 'model';
}

export interface LookOptions {
  /** INPUT=1x3x224x224: sizes of inputs that the model leaves open. */
  readonly shapes?: readonly string[];
  /** INPUT=NUMBER: inputs that stay as they are, such as a sample rate. */
  readonly values?: readonly string[];
}

/** Sizes of open axes of models without a card, where nothing is given. */
const USUAL_SIDE = 224;
const USUAL_SAMPLES = 16_000;
const USUAL_STEPS = 16;

/**
 * Opens a victim's folder or an ONNX file.
 * @throws OnboardingError for options that fit no input, OnnxError and CardError for files that cannot be used.
 */
export async function lookAt(target: string, options: LookOptions = {}): Promise<LookedAt> {
  const found = await stat(target).catch((cause: unknown) => {
    throw new OnboardingError(`${target} cannot be read; give an ONNX file or a victim's folder`, { cause });
  });
  return found.isDirectory() ? lookAtVictim(target) : lookAtModel(target, options);
}

async function lookAtVictim(folder: string): Promise<LookedAt> {
  const card = parseCard(await readFile(path.join(folder, CARD_FILE), 'utf8'));
  const { graph } = composeVictim(card, await readVictimFiles(folder, card));
  const toTensors = (inputs: Tensors) =>
    new Map(
      Array.from(inputs, ([name, { dims, data }]): [string, Tensor] => [
        name,
        { dataType: 'float32', dims, data: data as Float32Array },
      ]),
    );
  return {
    graph: oneExample(graph),
    outputs: [card.logits],
    variables: card.inputs.map(({ name }) => name),
    sample: (seed) => toTensors(sampleInputs(card.inputs, 1, seed)),
    kind: 'victim',
  };
}

/** The batch is one: sizes are then numbers throughout. */
const oneExample = (graph: Graph): Graph => ({
  ...graph,
  inputs: graph.inputs.map((input) => ({
    ...input,
    dims: input.dims?.map((size) => (typeof size === 'number' ? size : 1)),
  })),
});

async function lookAtModel(file: string, { shapes = [], values = [] }: LookOptions): Promise<LookedAt> {
  const { graph: standard } = await readForeignModel(file);
  const sizes = new Map(shapes.map((text) => parsePair('--shape', text)));
  const fixed = new Map(values.map((text) => parsePair('--value', text)));
  const names = standard.inputs.map(({ name }) => name);
  for (const [flag, given] of [
    ['--shape', sizes],
    ['--value', fixed],
  ] as const) {
    const unknown = [...given.keys()].find((name) => !names.includes(name));
    if (unknown !== undefined)
      throw new OnboardingError(`${flag} ${unknown}: the model's inputs are ${names.join(', ')}`);
  }
  const inputs = standard.inputs.map((input) => ({ ...input, dims: sizesOf(input, sizes.get(input.name)) }));
  const initializers = new Map(standard.initializers);
  for (const input of inputs) {
    const value = fixed.get(input.name);
    if (value !== undefined) initializers.set(input.name, constantTensor(input, Number(value)));
  }
  const open = inputs.filter(({ name }) => !fixed.has(name));
  const graph = inlineBranches({ ...standard, inputs: open, initializers });
  checkGraph(graph);
  const variables = open.filter(({ dataType }) => isFloating(dataType)).map(({ name }) => name);
  if (variables.length === 0) throw new OnboardingError(`${file} has no floating input`);
  return {
    graph,
    outputs: graph.outputs
      .filter(({ dataType }) => dataType === 'unknown' || isFloating(dataType))
      .map(({ name }) => name),
    variables,
    sample: (seed) => {
      const random = seededUniform(seed);
      return new Map(open.map((input) => [input.name, noise(input, random)]));
    },
    kind: 'model',
  };
}

const isFloating = (dataType: ValueInfo['dataType']) => dataType === 'float32' || dataType === 'float64';

function parsePair(flag: string, text: string): [string, string] {
  const at = text.lastIndexOf('=');
  if (at < 1) throw new OnboardingError(`${flag} ${text}: write INPUT=...`);
  return [text.slice(0, at), text.slice(at + 1)];
}

type Fixed = Omit<ValueInfo, 'dims'> & { readonly dims: readonly number[] };

function sizesOf({ name, dims }: ValueInfo, given: string | undefined): number[] {
  if (given !== undefined) {
    const sizes = given.split('x').map(Number);
    const fits =
      dims === undefined ||
      (dims.length === sizes.length && dims.every((size, axis) => typeof size !== 'number' || size === sizes[axis]));
    if (!sizes.every((size) => Number.isInteger(size) && size > 0) || !fits)
      throw new OnboardingError(
        `--shape ${name}=${given}: the model declares [${dims?.join(', ') ?? '?'}]; write sizes as 1x3x224x224`,
      );
    return sizes;
  }
  if (dims === undefined)
    throw new OnboardingError(`the shape of input '${name}' is not declared; give --shape ${name}=1x...`);
  return dims.map((size, axis) => {
    if (typeof size === 'number') return size;
    if (axis === 0) return 1;
    if (dims.length >= 4) return USUAL_SIDE;
    return axis === dims.length - 1 && dims.length <= 3 ? USUAL_SAMPLES : dims.includes(2) ? 1 : USUAL_STEPS;
  });
}

const countOf = (dims: readonly number[]) => dims.reduce((product, size) => product * size, 1);

function constantTensor({ name, dataType, dims }: Fixed, value: number): Tensor {
  if (!Number.isFinite(value)) throw new OnboardingError(`--value ${name}: give a number`);
  return filled({ name, dataType, dims }, () => value);
}

/** Pictures between black and white, anything else around zero; whole numbers are zeros. */
function noise(input: Fixed, random: () => number): Tensor {
  if (!isFloating(input.dataType)) return filled(input, () => 0);
  return filled(input, input.dims.length >= 4 ? random : () => random() - 0.5);
}

function filled({ name, dataType, dims }: Fixed, value: () => number): Tensor {
  const length = countOf(dims);
  const values = { length };
  switch (dataType) {
    case 'float32':
    case 'unknown':
      return { dataType: 'float32', dims, data: Float32Array.from(values, value) };
    case 'float64':
      return { dataType, dims, data: Float64Array.from(values, value) };
    case 'int64':
      return { dataType, dims, data: BigInt64Array.from(values, () => BigInt(Math.trunc(value()))) };
    case 'int32':
      return { dataType, dims, data: Int32Array.from(values, value) };
    case 'uint8':
    case 'bool':
      return { dataType, dims, data: Uint8Array.from(values, value) };
    default:
      throw new OnboardingError(
        `input '${name}' is ${dataType}; inputs of float32, float64, int64, int32, uint8 and bool are understood`,
      );
  }
}
