import type { victim } from '@faultline/contracts';
import { type DataType, float32, type Graph, GraphBuilder, int, int64, type Tensor } from '@faultline/onnx';
import { MODEL_PREFIX } from '@faultline/victim-local';
import { toLayout } from './layout.ts';
import { logMelSteps } from './log-mel.ts';
import type { ConstantInput, FramesInput, ModelInput, WaveformInput } from './model-input.ts';
import { OnboardingError } from './onboarding-error.ts';

/** Shares of red, green and blue in grey (ITU-R BT.601, as OpenCV and PIL compute it). */
const GREY_SHARES = [0.299, 0.587, 0.114];

/** What the victim is given, and the graph that makes the model's inputs of it; undefined where the model takes the same. */
export interface FrontEnd {
  readonly inputs: readonly victim.InputSpecification[];
  readonly graph: Graph | undefined;
}

/** The canonical input that a model's input is made of. */
function sourceOf({ info, role }: ModelInput): victim.InputSpecification | undefined {
  switch (role.role) {
    case 'waveform': {
      const { sampleRateHz, samples } = role;
      return { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz, samples } } };
    }
    case 'log-mel': {
      const { sampleRateHz } = role.parameters;
      return { name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz, samples: role.samples } } };
    }
    case 'frames': {
      const { frameRateHz, frames, height, width } = role;
      return { name: 'frames', kind: { $case: 'frames', value: { frameRateHz, frames, height, width } } };
    }
    case 'constant':
      return undefined;
    default:
      throw new OnboardingError(`input '${info.name}' has no role`);
  }
}

/**
 * Sources of all inputs: inputs made of the same kind of sound or pictures share one; further ones are named after their input.
 * @throws OnboardingError when nothing is made of sound or pictures.
 */
function sources(inputs: readonly ModelInput[]): Map<ModelInput, victim.InputSpecification> {
  const found = new Map<ModelInput, victim.InputSpecification>();
  for (const input of inputs) {
    const wanted = sourceOf(input);
    if (wanted === undefined) continue;
    const same = [...found.values()].find((other) => JSON.stringify(other.kind) === JSON.stringify(wanted.kind));
    const taken = [...found.values()].some(({ name }) => name === wanted.name);
    found.set(input, same ?? (taken ? { ...wanted, name: `${wanted.name}.${input.info.name}` } : wanted));
  }
  if (found.size === 0)
    throw new OnboardingError(
      'no input of the model is made of sound or pictures; give one a role: --set INPUT.role=waveform',
    );
  return found;
}

/** Whether an input takes its source as it is. */
function isPlain({ info, role }: ModelInput): boolean {
  if (info.dataType !== 'float32' || typeof info.dims?.[0] !== 'string') return false;
  if (role.role === 'waveform') return role.layout === 'NS' && role.fullScale === 1;
  if (role.role !== 'frames') return false;
  const { layout, colour, black, white, mean, std } = role;
  return (
    layout === 'NTCHW' &&
    colour === 'rgb' &&
    black === 0 &&
    white === 1 &&
    mean.every((m) => m === 0) &&
    std.every((s) => s === 1)
  );
}

/** Builds the front end of a model from what its inputs are made of. */
export function buildFrontEnd(inputs: readonly ModelInput[]): FrontEnd {
  const source = sources(inputs);
  const specifications = [...new Set(source.values())];
  if (inputs.every((input) => isPlain(input) && input.info.name === source.get(input)?.name))
    return { inputs: specifications, graph: undefined };
  const b = new GraphBuilder();
  for (const { name, kind } of specifications) {
    if (kind?.$case === 'waveform') b.input(name, ['batch', kind.value.samples]);
    if (kind?.$case === 'frames') b.input(name, ['batch', kind.value.frames, 3, kind.value.height, kind.value.width]);
  }
  const batch = b.op('Shape', [specifications[0]?.name ?? ''], { start: int(0), end: int(1) });
  for (const input of inputs) {
    const made = modelInput(b, input, source.get(input)?.name ?? '', batch);
    b.output(made, undefined, 'unknown', `${MODEL_PREFIX}${input.info.name}`);
  }
  return { inputs: specifications, graph: b.graph('front-end') };
}

function modelInput(b: GraphBuilder, { info, role }: ModelInput, source: string, batch: string): string {
  switch (role.role) {
    case 'waveform':
      return waveform(b, source, role);
    case 'log-mel': {
      const mel = logMelSteps(b, source, role.samples, role.steps, role.parameters);
      return toLayout(b, mel, { T: role.steps, F: role.parameters.bands }, role.layout);
    }
    case 'frames':
      return pictures(b, source, role);
    case 'constant':
      return constant(b, info.dataType === 'unknown' ? 'float32' : info.dataType, role, batch);
  }
}

function waveform(b: GraphBuilder, source: string, { samples, layout, fullScale }: WaveformInput): string {
  const scaled = fullScale === 1 ? source : b.times(source, b.scalar(fullScale));
  return toLayout(b, scaled, { S: samples }, layout);
}

function pictures(b: GraphBuilder, source: string, input: FramesInput): string {
  const { frames, height, width, layout, colour, black, white, mean, std } = input;
  let value = source;
  if (colour === 'bgr') value = b.op('Gather', [value, b.ints([2, 1, 0])], { axis: int(2) });
  if (colour === 'gray') {
    const shares = b.constant(float32(GREY_SHARES, [1, 1, 3, 1, 1]));
    value = b.reduceSum(b.times(value, shares), [2]);
  }
  const channels = colour === 'gray' ? 1 : 3;
  const each = (of: (channel: number) => number) => Array.from({ length: channels }, (_, channel) => of(channel));
  const meanOf = (channel: number) => mean[mean.length === 1 ? 0 : channel] ?? 0;
  const stdOf = (channel: number) => std[std.length === 1 ? 0 : channel] ?? 1;
  const scale = each((channel) => (white - black) / stdOf(channel));
  const shift = each((channel) => (black - meanOf(channel)) / stdOf(channel));
  const perChannel = (values: readonly number[]) => b.constant(float32(values, [1, 1, channels, 1, 1]));
  if (scale.some((factor) => factor !== 1)) value = b.times(value, perChannel(scale));
  if (shift.some((term) => term !== 0)) value = b.plus(value, perChannel(shift));
  return toLayout(b, value, { T: frames, C: channels, H: height, W: width }, layout);
}

/** A constant tensor; along its open axis it is repeated for each example. */
function constant(b: GraphBuilder, dataType: DataType, { values, sizes }: ConstantInput, batch: string): string {
  const dims = sizes.map((size) => size ?? 1);
  const count = dims.reduce((product, size) => product * size, 1);
  const all = Array.from({ length: count }, (_, i) => values[values.length === 1 ? 0 : i] ?? 0);
  const value = b.constant(tensorOf(dataType, all, dims));
  if (!sizes.includes(undefined)) return b.op('Identity', [value]);
  const shape = b.concat(
    sizes.map((size) => (size === undefined ? batch : b.ints([size]))),
    0,
  );
  return b.op('Expand', [value, shape]);
}

function tensorOf(dataType: DataType, values: readonly number[], dims: readonly number[]): Tensor {
  switch (dataType) {
    case 'float32':
    case 'float16':
      return float32(values, dims);
    case 'int64':
      return int64(values.map(Math.trunc), dims);
    case 'int32':
      return { dataType, dims, data: Int32Array.from(values) };
    case 'bool':
      return { dataType, dims, data: Uint8Array.from(values, (value) => (value === 0 ? 0 : 1)) };
    case 'float64':
      return { dataType, dims, data: Float64Array.from(values) };
    default:
      throw new OnboardingError(
        `a constant of type ${dataType} cannot be made; give the model an input of float32, int64, int32, float64 or bool`,
      );
  }
}
