import type { features, victim } from '@faultline/contracts';
import type { InputSpecification, MediaWindow } from '@faultline/media';
import { FaultlineError, type FieldViolation } from '@faultline/service-kit';

/** The contract's bound on a media file and on a tensor; also what one answer may hold, below the message limit of 64 MiB. */
export const MAX_BYTES = 60 * 1024 * 1024;
const MAX_INPUTS = 8;
const MAX_NAME_CHARACTERS = 128;
const MAX_REQUEST_CONTEXT_CHARACTERS = 128;
/** Telephone sound has 8 kHz; 384 kHz is the highest rate that converters offer. */
const SAMPLE_RATE_HZ = { least: 1000, most: 384_000 };
const FRAME_RATE_HZ = { least: 0.01, most: 1000 };
/** The largest side of an 8K picture. */
const SIDE_PIXELS = { least: 1, most: 8192 };
const COUNT = { least: 1, most: MAX_BYTES };
/** An hour: media is read up to here at most. */
const MAX_SECONDS = 3600;
/** A week: no media is longer, and times stay exact to a microsecond. */
const WINDOW_SECONDS = { least: 0, most: 604_800 };
const MAX_WINDOWS = 1024;
const CHANNELS = 3;
const BYTES_PER_FLOAT = 4;

type Range = { readonly least: number; readonly most: number };

/** An input to extract: where it goes, and what it is. */
export interface NamedSpecification {
  readonly name: string;
  readonly specification: InputSpecification;
}

/** What to extract, from which part of the media. */
export interface Extraction {
  readonly inputs: readonly NamedSpecification[];
  /** At least one. */
  readonly windows: readonly MediaWindow[];
}

/**
 * Checks a request against the contract.
 * @throws FaultlineError `invalid_argument` with a violation for each field that is wrong.
 */
export function validateExtract(request: features.ExtractRequest): Extraction {
  const violations = new Violations();
  const { media, window } = request;
  if (media.length === 0) violations.add('media', 'is empty: send the bytes of a whole media file');
  if (media.length > MAX_BYTES) {
    violations.add(
      'media',
      `holds ${media.length} bytes, at most ${MAX_BYTES} are allowed: send more with ExtractStream`,
    );
  }
  const windows = [validateWindow(window, 'window', violations)];
  return { inputs: validateInputs(request, '', violations), windows };
}

/**
 * Checks the first message of a stream against the contract.
 * @throws FaultlineError `invalid_argument` with a violation for each field that is wrong.
 */
export function validateOpen(request: features.ExtractOpen): Extraction {
  const violations = new Violations();
  const { windows } = request;
  if (windows.length > MAX_WINDOWS) {
    violations.add('open.windows', `holds ${windows.length} windows, at most ${MAX_WINDOWS} are allowed`);
    throw violations.error();
  }
  const asked = windows.length === 0 ? [undefined] : windows;
  const valid = asked.map((window, index) => validateWindow(window, `open.windows[${index}]`, violations));
  return { inputs: validateInputs(request, 'open.', violations), windows: valid };
}

function validateWindow(window: features.Window | undefined, path: string, violations: Violations): MediaWindow {
  const { startSeconds, durationSeconds } = window ?? { startSeconds: 0, durationSeconds: 0 };
  violations.range(`${path}.start_seconds`, startSeconds, WINDOW_SECONDS);
  violations.range(`${path}.duration_seconds`, durationSeconds, WINDOW_SECONDS);
  return durationSeconds === 0 ? { startSeconds } : { startSeconds, durationSeconds };
}

/** Checks what both requests hold, and throws if anything was wrong. */
function validateInputs(
  { context, inputs }: Pick<features.ExtractRequest, 'context' | 'inputs'>,
  path: string,
  violations: Violations,
): NamedSpecification[] {
  violations.length(`${path}context.caller`, context?.caller, MAX_REQUEST_CONTEXT_CHARACTERS);
  violations.length(`${path}context.idempotency_key`, context?.idempotencyKey, MAX_REQUEST_CONTEXT_CHARACTERS);
  if (inputs.length === 0 || inputs.length > MAX_INPUTS) {
    violations.add(`${path}inputs`, `holds ${inputs.length} specifications: ask for 1 to ${MAX_INPUTS}`);
    throw violations.error();
  }
  const specifications = inputs.map((input, index) => validateInput(input, `${path}inputs[${index}]`, violations));
  const names = new Set(inputs.map(({ name }) => name));
  if (names.size < inputs.length) violations.add(`${path}inputs`, 'names two inputs alike: give each its own name');
  const outputBytes = specifications.reduce((sum, named) => sum + (named ? bytesOf(named.specification) : 0), 0);
  if (outputBytes > MAX_BYTES) {
    violations.add(
      `${path}inputs`,
      `would take ${outputBytes} bytes in all, at most ${MAX_BYTES} are allowed: ask for less`,
    );
  }
  violations.throwIfAny();
  return specifications.filter((named) => named !== undefined);
}

/** Size of the tensor that a specification asks for. */
function bytesOf(specification: InputSpecification): number {
  if (specification.kind === 'waveform') return specification.samples * BYTES_PER_FLOAT;
  return specification.frames * CHANNELS * specification.height * specification.width;
}

function validateInput(
  input: victim.InputSpecification,
  path: string,
  violations: Violations,
): NamedSpecification | undefined {
  const { name, kind } = input;
  if (name === '') violations.add(`${path}.name`, 'is empty: name the input');
  violations.length(`${path}.name`, name, MAX_NAME_CHARACTERS);
  switch (kind?.$case) {
    case 'waveform': {
      const { sampleRateHz, samples } = kind.value;
      violations.range(`${path}.waveform.sample_rate_hz`, sampleRateHz, SAMPLE_RATE_HZ);
      violations.range(`${path}.waveform.samples`, samples, COUNT);
      violations.seconds(`${path}.waveform.samples`, samples, sampleRateHz);
      return { name, specification: { kind: 'waveform', sampleRateHz, samples } };
    }
    case 'frames': {
      const { frameRateHz, frames, height, width } = kind.value;
      violations.range(`${path}.frames.frame_rate_hz`, frameRateHz, FRAME_RATE_HZ);
      violations.range(`${path}.frames.frames`, frames, COUNT);
      violations.range(`${path}.frames.height`, height, SIDE_PIXELS);
      violations.range(`${path}.frames.width`, width, SIDE_PIXELS);
      violations.seconds(`${path}.frames.frames`, frames, frameRateHz);
      return { name, specification: { kind: 'frames', frameRateHz, frames, height, width } };
    }
    default:
      violations.add(path, 'says no kind: set waveform or frames');
      return undefined;
  }
}

/** Collects what is wrong with a request, so that one answer names all of it. */
class Violations {
  readonly #violations: FieldViolation[] = [];

  add(field: string, description: string): void {
    this.#violations.push({ field, description });
  }

  length(field: string, text: string | undefined, most: number): void {
    if (text !== undefined && text.length > most) {
      this.add(field, `has ${text.length} characters, at most ${most} are allowed`);
    }
  }

  range(field: string, value: number, { least, most }: Range): void {
    if (!(value >= least && value <= most)) this.add(field, `is ${value}: give a value from ${least} to ${most}`);
  }

  seconds(field: string, count: number, rateHz: number): void {
    if (rateHz > 0 && count / rateHz > MAX_SECONDS)
      this.add(field, `lasts ${count / rateHz} s, at most ${MAX_SECONDS} s are allowed`);
  }

  throwIfAny(): void {
    if (this.#violations.length > 0) throw this.error();
  }

  error(): FaultlineError {
    const text = this.#violations.map(({ field, description }) => `${field} ${description}`).join('; ');
    return new FaultlineError('invalid_argument', text, { violations: this.#violations });
  }
}
