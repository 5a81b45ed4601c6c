import { common, elementCount, inference } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import {
  exampleDims,
  type LoopPlan,
  type LoopShape,
  type LoopVariable,
  type NoiseDistribution,
  type NoiseSlot,
  type Programs,
  type Samples,
  type VictimDescription,
} from '@faultline/victim';
import { checkContext, MAX_AXES, shown } from './messages.ts';
import { checkModel, checkProtocol } from './preconditions.ts';

const NOISE_KEY_BYTES = 8;
const FLOAT_BYTES = 4;

/** More of anything than a program could read. */
const MAX_SLOTS = 256;

type UploadType = typeof common.DataType.DATA_TYPE_FLOAT32 | typeof common.DataType.DATA_TYPE_UINT8;
const { DATA_TYPE_FLOAT32, DATA_TYPE_UINT8 } = common.DataType;

/** A tensor that will be uploaded. */
export interface AwaitedSlot {
  /** Axis sizes of the whole tensor. */
  readonly dims: readonly number[];
  readonly types: readonly UploadType[];
}

/** The clips that a loop will work on, before their tensors come. */
export interface BatchShape {
  readonly clips: number;
  readonly exampleClips: readonly number[];
  readonly noiseKeys: BigUint64Array | undefined;
}

/** What an Open says, checked. */
export interface Opening {
  readonly modelSha256: string;
  readonly shape: LoopShape;
  readonly batch: BatchShape;
  /** const/C tensors to come, by slot. */
  readonly constants: ReadonlyMap<string, AwaitedSlot>;
  /** One row of each data/D to come, by slot. */
  readonly data: ReadonlyMap<string, AwaitedSlot>;
}

/** @throws FaultlineError naming the field of the opening that cannot be served. */
export function readOpening(open: inference.OpenRequest, description: VictimDescription): Opening {
  checkProtocol(open.protocolVersion);
  checkContext(open.context, 'open.context');
  if (open.modelSha256 === '')
    throw FaultlineError.invalid('open.model_sha256', 'is empty; a loop is pinned to one model');
  checkModel(open.modelSha256, description);
  const samples = samplesOf(open.samples, description.maxExamples);
  const noise = noiseOf(open.noise);
  const batch = readBatch(open, 'open', { maxExamples: description.maxExamples, samples, noise });
  const announced = announcedOf(open.announced, batch.exampleClips.length);
  const starting = (prefix: string) => new Map([...announced].filter(([slot]) => slot.startsWith(prefix)));
  return {
    modelSha256: open.modelSha256,
    shape: {
      programs: programsOf(open.programs),
      variables: variablesOf(open.variables, description),
      mode: modeOf(open.mode),
      samples,
      noise,
      clips: batch.clips,
      examples: batch.exampleClips.length,
    },
    batch,
    constants: starting('const/'),
    data: starting('data/'),
  };
}

/** What a Rebatch says, checked against the loop that it changes. @throws FaultlineError */
export function readRebatch(
  rebatch: inference.RebatchRequest,
  { shape: { samples, noise = [] } }: Opening,
  { maxExamples }: VictimDescription,
): BatchShape {
  return readBatch(rebatch, 'rebatch', { maxExamples, samples, noise });
}

/** The tensors that a batch of clips consists of. */
export function awaitedBatch(
  { clips, exampleClips }: BatchShape,
  data: Opening['data'],
  { card }: VictimDescription,
): Map<string, AwaitedSlot> {
  const awaited = new Map<string, AwaitedSlot>();
  for (const input of card.inputs) {
    const types: readonly UploadType[] =
      input.kind?.$case === 'frames' ? [DATA_TYPE_FLOAT32, DATA_TYPE_UINT8] : [DATA_TYPE_FLOAT32];
    awaited.set(`x0/${input.name}`, { dims: [clips, ...exampleDims(input)], types });
  }
  awaited.set('targets', { dims: [exampleClips.length, card.labels.length], types: [DATA_TYPE_FLOAT32] });
  for (const [slot, { dims, types }] of data)
    awaited.set(slot, { dims: [exampleClips.length, ...dims.slice(1)], types });
  return awaited;
}

/** Bytes that tensors take once they have come and are float32. */
export const uploadedBytes = (awaited: ReadonlyMap<string, AwaitedSlot>): number =>
  [...awaited.values()].reduce((sum, { dims }) => sum + elementCount(dims) * FLOAT_BYTES, 0);

/** The plan of a loop whose tensors have come. */
export function planOf(
  { modelSha256, shape, batch }: Opening,
  tensors: ReadonlyMap<string, LoopPlan['targets'] | { readonly dims: readonly number[]; readonly data: Uint8Array }>,
): LoopPlan {
  const { programs, variables, mode, samples, noise } = shape;
  const constants = slotsAfter('const/', tensors);
  return { modelSha256, programs, variables, mode, samples, noise, constants, ...batchOf(batch, tensors) };
}

/** The batch of a plan. */
export function batchOf(
  { exampleClips, noiseKeys }: BatchShape,
  tensors: Parameters<typeof planOf>[1],
): Pick<LoopPlan, 'exampleClips' | 'noiseKeys' | 'inputs' | 'targets' | 'data'> {
  const targets = tensors.get('targets');
  if (!(targets?.data instanceof Float32Array)) throw FaultlineError.invalid('upload[targets]', 'must be float32');
  return {
    exampleClips,
    noiseKeys,
    inputs: slotsAfter('x0/', tensors),
    targets: { dims: targets.dims, data: targets.data },
    data: slotsAfter('data/', tensors),
  };
}

const slotsAfter = (prefix: string, tensors: Parameters<typeof planOf>[1]) =>
  new Map(
    [...tensors]
      .filter(([slot]) => slot.startsWith(prefix))
      .map(([slot, tensor]) => [slot.slice(prefix.length), tensor]),
  );

function readBatch(
  { exampleClips, clips, noiseKeys }: Pick<inference.OpenRequest, 'exampleClips' | 'clips' | 'noiseKeys'>,
  field: string,
  limits: { readonly maxExamples: number; readonly samples: Samples | undefined; readonly noise: readonly NoiseSlot[] },
): BatchShape {
  const count = limits.samples?.count ?? 1;
  const most = Math.floor(limits.maxExamples / count);
  if (clips < 1 || clips > limits.maxExamples)
    throw FaultlineError.invalid(`${field}.clips`, `is ${clips}; give 1 to ${limits.maxExamples}`);
  if (exampleClips.length < 1 || exampleClips.length > most) {
    const why = count === 1 ? '' : `, for each is evaluated ${count} times`;
    throw FaultlineError.invalid(
      `${field}.example_clips`,
      `names ${exampleClips.length} examples; give 1 to ${most}${why}`,
    );
  }
  const outside = exampleClips.findIndex((clip) => clip >= clips);
  if (outside >= 0)
    throw FaultlineError.invalid(
      `${field}.example_clips[${outside}]`,
      `is ${exampleClips[outside]}; the clips are 0 to ${clips - 1}`,
    );
  return {
    clips,
    exampleClips,
    noiseKeys: noiseKeysOf(noiseKeys, `${field}.noise_keys`, exampleClips.length, limits.noise),
  };
}

function noiseKeysOf(
  bytes: Buffer,
  field: string,
  examples: number,
  noise: readonly NoiseSlot[],
): BigUint64Array | undefined {
  if (bytes.byteLength === 0 && noise.length === 0) return undefined;
  if (bytes.byteLength !== examples * NOISE_KEY_BYTES) {
    throw FaultlineError.invalid(
      field,
      `holds ${bytes.byteLength} bytes; noise slots need ${NOISE_KEY_BYTES} for each of ${examples} examples`,
    );
  }
  return BigUint64Array.from({ length: examples }, (_, i) => bytes.readBigUInt64LE(i * NOISE_KEY_BYTES));
}

function programsOf(programs: inference.Programs | undefined): Programs {
  if (programs === undefined) throw FaultlineError.invalid('open.programs', 'is missing');
  for (const role of ['objective', 'step'] as const) {
    if (programs[role].byteLength === 0) throw FaultlineError.invalid(`open.programs.${role}`, 'is empty');
  }
  // The bytes are views on the message, which must not travel to the compute thread along with them.
  const optional = (bytes: Buffer) => (bytes.byteLength === 0 ? undefined : Uint8Array.from(bytes));
  return {
    transform: optional(programs.transform),
    objective: Uint8Array.from(programs.objective),
    step: Uint8Array.from(programs.step),
    init: optional(programs.init),
  };
}

const SCOPES: Readonly<Record<number, LoopVariable['scope']>> = {
  [inference.VariableScope.VARIABLE_SCOPE_UNSPECIFIED]: 'example',
  [inference.VariableScope.VARIABLE_SCOPE_EXAMPLE]: 'example',
  [inference.VariableScope.VARIABLE_SCOPE_SHARED]: 'shared',
};

function variablesOf(variables: readonly inference.Variable[], { card }: VictimDescription): LoopVariable[] {
  const known = [...card.inputs, ...card.taps].map(({ name }) => name);
  if (variables.length === 0)
    throw FaultlineError.invalid('open.variables', `is empty; name at least one of ${known.join(', ')}`);
  return variables.map(({ name, scope }, index) => {
    const field = `open.variables[${index}]`;
    if (!known.includes(name))
      throw FaultlineError.invalid(
        `${field}.name`,
        `'${shown(name)}' is neither an input nor a tap of this victim; there are ${known.join(', ')}`,
      );
    if (variables.findIndex((other) => other.name === name) !== index)
      throw FaultlineError.invalid(`${field}.name`, `'${name}' is named twice`);
    const known_scope = SCOPES[scope];
    if (known_scope === undefined)
      throw FaultlineError.invalid(`${field}.scope`, `is ${scope}; give EXAMPLE or SHARED`);
    return { name, scope: known_scope };
  });
}

function modeOf(mode: inference.LoopMode): LoopPlan['mode'] {
  switch (mode) {
    case inference.LoopMode.LOOP_MODE_UNSPECIFIED:
    case inference.LoopMode.LOOP_MODE_DIFFERENTIATE:
      return 'differentiate';
    case inference.LoopMode.LOOP_MODE_EVALUATE:
      return 'evaluate';
    default:
      throw FaultlineError.invalid('open.mode', `is ${mode}; give DIFFERENTIATE or EVALUATE`);
  }
}

const REDUCTIONS: Readonly<Record<number, Samples['gradient']>> = {
  [inference.SampleGradient.SAMPLE_GRADIENT_UNSPECIFIED]: 'mean',
  [inference.SampleGradient.SAMPLE_GRADIENT_MEAN]: 'mean',
  [inference.SampleGradient.SAMPLE_GRADIENT_EACH]: 'each',
};

function samplesOf(samples: inference.Samples | undefined, maxExamples: number): Samples | undefined {
  if (samples === undefined) return undefined;
  const { count } = samples;
  if (count < 1 || count > maxExamples)
    throw FaultlineError.invalid('open.samples.count', `is ${count}; give 1 to ${maxExamples}`);
  const gradient = REDUCTIONS[samples.gradient];
  if (gradient === undefined)
    throw FaultlineError.invalid('open.samples.gradient', `is ${samples.gradient}; give MEAN or EACH`);
  return { count, gradient };
}

const DISTRIBUTIONS: Readonly<Record<number, NoiseDistribution>> = {
  [inference.NoiseDistribution.NOISE_DISTRIBUTION_UNIFORM]: 'uniform',
  [inference.NoiseDistribution.NOISE_DISTRIBUTION_NORMAL]: 'normal',
  [inference.NoiseDistribution.NOISE_DISTRIBUTION_SIGNS]: 'signs',
};

function noiseOf(slots: readonly inference.NoiseSlot[]): NoiseSlot[] {
  checkCount(slots.length, 'open.noise');
  return slots.map(({ name, distribution, dims }, index) => {
    const field = `open.noise[${index}]`;
    if (name === '') throw FaultlineError.invalid(`${field}.name`, 'is empty');
    if (slots.findIndex((other) => other.name === name) !== index)
      throw FaultlineError.invalid(`${field}.name`, `'${shown(name)}' is named twice`);
    const known = DISTRIBUTIONS[distribution];
    if (known === undefined)
      throw FaultlineError.invalid(`${field}.distribution`, `is ${distribution}; give UNIFORM, NORMAL or SIGNS`);
    checkDims(dims, `${field}.dims`);
    return { name, distribution: known, dims };
  });
}

function announcedOf(slots: readonly inference.AnnouncedSlot[], examples: number): Map<string, AwaitedSlot> {
  checkCount(slots.length, 'open.announced');
  const announced = new Map<string, AwaitedSlot>();
  for (const [index, { slot, dataType, dims }] of slots.entries()) {
    const field = `open.announced[${index}]`;
    if (!/^(const|data)\/./.test(slot))
      throw FaultlineError.invalid(`${field}.slot`, `is '${shown(slot)}'; announce const/C and data/D slots`);
    if (announced.has(slot)) throw FaultlineError.invalid(`${field}.slot`, `'${shown(slot)}' is announced twice`);
    if (dataType !== DATA_TYPE_FLOAT32 && dataType !== DATA_TYPE_UINT8)
      throw FaultlineError.invalid(`${field}.data_type`, `is ${dataType}; give FLOAT32 or UINT8`);
    checkDims(dims, `${field}.dims`);
    if (slot.startsWith('data/') && dims[0] !== examples)
      throw FaultlineError.invalid(
        `${field}.dims`,
        `is [${dims.join(', ')}]; it must begin with the ${examples} examples`,
      );
    announced.set(slot, { dims, types: [dataType] });
  }
  return announced;
}

function checkCount(count: number, field: string): void {
  if (count > MAX_SLOTS) throw FaultlineError.invalid(field, `has ${count} entries; give at most ${MAX_SLOTS}`);
}

function checkDims(dims: readonly number[], field: string): void {
  if (dims.length > MAX_AXES)
    throw FaultlineError.invalid(field, `has ${dims.length} axes; at most ${MAX_AXES} are allowed`);
  if (dims.some((size) => size < 1))
    throw FaultlineError.invalid(field, `is [${dims.join(', ')}]; every axis has 1 or more`);
  if (!Number.isSafeInteger(elementCount(dims) * FLOAT_BYTES))
    throw FaultlineError.invalid(field, `is [${dims.join(', ')}], which no memory can hold`);
}
