import { victim } from '@faultline/contracts';
import { CardError, require } from './card-error.ts';
import { checkFigures } from './card-figures.ts';

export { CardError } from './card-error.ts';

/** Version of the card's schema that this code reads. */
export const CARD_SCHEMA_VERSION = 1;

/** Tolerance of a verdict, as a share of the logit scale, so that it does not flip between batch sizes. */
export const VERDICT_TOLERANCE = 1e-4;

/** A file beside the card, not in a folder of its own. */
const GRAPH_FILE = /^[^/\\\0]+\.onnx$/;

/** Throws for the first field of `given` that `known`, the same message as this code writes it, does not have. */
function refuseUnknownFields(given: unknown, known: unknown, path: string): void {
  if (Array.isArray(given)) {
    const list = Array.isArray(known) ? known : [];
    for (const [index, item] of given.entries()) refuseUnknownFields(item, list[index], `${path}[${index}]`);
    return;
  }
  if (typeof given !== 'object' || given === null) return;
  const fields = typeof known === 'object' && known !== null ? known : {};
  for (const [key, value] of Object.entries(given)) {
    const field = path === '' ? key : `${path}.${key}`;
    if (isDefault(value)) continue;
    if (!(key in fields)) throw new CardError(field, 'unknown field; remove it or correct its spelling');
    refuseUnknownFields(value, Reflect.get(fields, key), field);
  }
}

/** Protobuf JSON leaves out fields at their default, so they cannot be told from unknown ones and do no harm. */
function isDefault(value: unknown): boolean {
  return (
    value === null || value === 0 || value === '' || value === false || (Array.isArray(value) && value.length === 0)
  );
}

function checkInput(input: victim.InputSpecification, index: number): void {
  const field = `inputs[${index}]`;
  require(input.name !== '', `${field}.name`, 'is empty; give the name of the graph input');
  const positive = (value: number, name: string) =>
    require(value > 0, `${field}.${name}`, `is ${value}; give a number above 0`);
  switch (input.kind?.$case) {
    case 'waveform':
      positive(input.kind.value.sampleRateHz, 'waveform.sampleRateHz');
      positive(input.kind.value.samples, 'waveform.samples');
      break;
    case 'frames':
      positive(input.kind.value.frameRateHz, 'frames.frameRateHz');
      positive(input.kind.value.frames, 'frames.frames');
      positive(input.kind.value.height, 'frames.height');
      positive(input.kind.value.width, 'frames.width');
      break;
    default:
      throw new CardError(field, 'has no kind; give waveform or frames');
  }
}

const SHA256 = /^[0-9a-f]{64}$/;

/** The largest path of a file that a card may name. */
const MAX_PATH_CHARACTERS = 1024;

function checkDigest(sha256: string, field: string): void {
  require(SHA256.test(sha256), field, 'is not 64 lower-case hexadecimal digits');
}

function checkGraphFile(file: victim.VictimFile | undefined, field: string): void {
  if (file === undefined) return;
  const { name, sha256 } = file;
  require(GRAPH_FILE.test(name), `${field}.name`, `is '${name}'; give the name of an .onnx file in the card's folder`);
  checkDigest(sha256, `${field}.sha256`);
}

function checkTap({ name, value, logMel }: victim.Tap, index: number, taps: readonly victim.Tap[]): void {
  const field = `taps[${index}]`;
  require(name !== '' && value !== '', field, 'has no name or no value; give both');
  require(taps.findIndex((other) => other.name === name) === index, `${field}.name`, `'${name}' is listed twice`);
  require(logMel === undefined ||
    logMel.decibels >
      0, `${field}.logMel.decibels`, `is ${logMel?.decibels}; give the decibels of a difference of 1, above 0`);
}

function checkExternalData(files: readonly victim.VictimFile[]): void {
  for (const [index, { name, sha256 }] of files.entries()) {
    const field = `externalData[${index}]`;
    const steps = name.split('/');
    const inside =
      !name.includes('\\') && !name.includes('\0') && steps.every((step) => !['', '.', '..'].includes(step));
    require(inside &&
      name.length <=
        MAX_PATH_CHARACTERS, `${field}.name`, `is '${name}'; give a path inside the card's folder, with '/' between its parts`);
    checkDigest(sha256, `${field}.sha256`);
    require(files.findIndex((other) => other.name === name) === index, `${field}.name`, `'${name}' is listed twice`);
  }
}

/** Throws CardError unless the card is complete and consistent. */
export function checkCard(card: victim.Card): void {
  require(card.schemaVersion ===
    CARD_SCHEMA_VERSION, 'schemaVersion', `is ${card.schemaVersion}; this version reads ${CARD_SCHEMA_VERSION}`);
  require(/^[a-z0-9][a-z0-9-]*$/.test(
    card.name,
  ), 'name', `is '${card.name}'; use lower-case letters, digits and hyphens`);
  require(GRAPH_FILE.test(
    card.model,
  ), 'model', `is '${card.model}'; give the name of an .onnx file in the card's folder`);
  checkDigest(card.sha256, 'sha256');
  checkGraphFile(card.frontEnd, 'frontEnd');
  checkGraphFile(card.head, 'head');
  checkExternalData(card.externalData);
  require(card.inputs.length > 0, 'inputs', 'is empty; list every input of the graph');
  const inputNames = card.inputs.map((input) => input.name);
  require(new Set(inputNames).size === inputNames.length, 'inputs', 'names an input twice');
  for (const [index, input] of card.inputs.entries()) checkInput(input, index);
  for (const [index, tap] of card.taps.entries()) {
    checkTap(tap, index, card.taps);
    require(!inputNames.includes(tap.name), `taps[${index}].name`, `'${tap.name}' is an input; give another name`);
  }
  require(card.logits !== '', 'logits', 'is empty; name the value that holds the logits');
  require(card.labels.length > 0, 'labels', 'is empty; list the labels in the order of the logits');
  require(card.logitScale > 0, 'logitScale', `is ${card.logitScale}; give the standard deviation of the logits`);
  const names = card.labels.map((label) => label.label);
  require(new Set(names).size === names.length, 'labels', 'names a label twice');
  checkFigures(card, names);
}

/**
 * Reads a card from protobuf JSON.
 * @throws CardError when it is not JSON, has an unknown field, or is incomplete.
 */
export function parseCard(json: string): victim.Card {
  let given: unknown;
  try {
    given = JSON.parse(json);
  } catch (cause) {
    throw new CardError('', 'the card is not JSON', { cause });
  }
  const card = victim.Card.fromJSON(given);
  refuseUnknownFields(given, victim.Card.toJSON(card), '');
  checkCard(card);
  return card;
}

/** Axis sizes of one example of an input: [samples], or [frames, 3, height, width]. */
export function exampleDims(input: victim.InputSpecification): number[] {
  switch (input.kind?.$case) {
    case 'waveform':
      return [input.kind.value.samples];
    case 'frames':
      return [input.kind.value.frames, 3, input.kind.value.height, input.kind.value.width];
    default:
      throw new CardError('inputs', `'${input.name}' has no kind`);
  }
}

/** What a variable of a threat model is: an input of the victim or a tap of its card. */
export type VariableSubject =
  | { readonly kind: 'input'; readonly input: victim.InputSpecification }
  | { readonly kind: 'tap'; readonly tap: victim.Tap };

/** The input or tap of this name; undefined where there is neither. */
export function variableSubject(card: victim.Card, name: string): VariableSubject | undefined {
  const input = card.inputs.find((one) => one.name === name);
  if (input !== undefined) return { kind: 'input', input };
  const tap = card.taps.find((one) => one.name === name);
  return tap === undefined ? undefined : { kind: 'tap', tap };
}

/** Range of an input's values: amplitude in [-1, 1], pixels in [0, 1]. */
export function valueRange(input: victim.InputSpecification): { readonly low: number; readonly high: number } {
  return input.kind?.$case === 'waveform' ? { low: -1, high: 1 } : { low: 0, high: 1 };
}

/** tau: a clip counts as deactivated when its margin is at or below minus this. */
export const verdictTolerance = (card: victim.Card): number => VERDICT_TOLERANCE * card.logitScale;
