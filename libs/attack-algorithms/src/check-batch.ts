import type { DenseTensor, victim } from '@faultline/contracts';
import { exampleDims, type Tensors, valueRange } from '@faultline/victim';
import type { AttackVariable } from './attack.ts';
import type { Faults } from './faults.ts';

const SHA256 = /^[0-9a-f]{64}$/;

/** At least one clip, each with the digest of its media. */
export function checkDigests(clipSha256: readonly string[], faults: Faults): void {
  faults.unless(clipSha256.length > 0, 'clip_sha256', 'is empty; give the digest of each clip');
  for (const [index, digest] of clipSha256.entries()) {
    const usable = SHA256.test(digest);
    faults.unless(usable, `clip_sha256[${index}]`, `'${digest}' is not 64 lower-case hexadecimal digits`);
  }
}

/** Every input of the victim and nothing else, with a row a clip, its values in range. */
export function checkInputs(inputs: Tensors, card: victim.Card, clips: number, faults: Faults): void {
  for (const input of card.inputs) {
    const tensor = inputs.get(input.name);
    if (tensor === undefined) {
      faults.add('inputs', `'${input.name}' is missing; every input of victim '${card.name}' is needed`);
      continue;
    }
    const field = `inputs['${input.name}']`;
    const needed = [clips, ...exampleDims(input)].join(', ');
    const given = tensor.dims.join(', ');
    faults.unless(given === needed, field, `is [${given}]; ${clips} clips need [${needed}]`);
    checkValues(field, tensor, valueRange(input), faults);
  }
  const known = card.inputs.map(({ name }) => name);
  for (const name of inputs.keys()) {
    const taken = known.includes(name);
    faults.unless(taken, 'inputs', `'${name}' is no input of victim '${card.name}', which takes ${known.join(', ')}`);
  }
}

/** Clean values of attacked taps and nothing else, with a row a clip, each a number. */
export function checkTapValues(
  values: Tensors,
  variables: readonly AttackVariable[],
  clips: number,
  faults: Faults,
): void {
  for (const [name, tensor] of values) {
    const field = `tap_values['${name}']`;
    const variable = variables.find((one) => one.name === name && one.isTap === true);
    if (variable === undefined) {
      faults.add(field, 'is no tap that is attacked; leave it out');
      continue;
    }
    const needed = [clips, ...variable.dims].join(', ');
    const given = tensor.dims.join(', ');
    faults.unless(given === needed, field, `is [${given}]; ${clips} clips need [${needed}]`);
    checkValues(field, tensor, variable, faults);
  }
}

function checkValues(
  field: string,
  { data }: DenseTensor,
  { low, high }: { readonly low: number; readonly high: number },
  faults: Faults,
): void {
  // Bytes are pixels, divided by 255: they cannot leave [0, 1].
  if (data instanceof Uint8Array && low === 0) return;
  if (!(data instanceof Float32Array)) {
    faults.add(field, 'is neither float32 nor (frames) uint8; send one of these');
    return;
  }
  const outside = data.findIndex((value) => !(value >= low && value <= high));
  faults.unless(outside < 0, field, `holds ${data[outside]} at element ${outside}; its range is [${low}, ${high}]`);
}

/** Zeros and ones, float32 [clips, labels], at least a one a clip; undefined where they are not. */
export function checkTargets(
  { dims, data }: DenseTensor,
  clips: number,
  labels: number,
  faults: Faults,
): DenseTensor<Float32Array> | undefined {
  const given = dims.join(', ');
  if (!(data instanceof Float32Array) || given !== `${clips}, ${labels}`) {
    faults.add(
      'targets',
      `must be float32 [${clips}, ${labels}] for ${clips} clips and ${labels} labels; is [${given}]`,
    );
    return undefined;
  }
  const binary = data.every((value) => value === 0 || value === 1);
  faults.unless(binary, 'targets', 'holds values other than 0 and 1; put 1 at the true labels and 0 elsewhere');
  for (let clip = 0; clip < clips; clip += 1) {
    const active = data.subarray(clip * labels, (clip + 1) * labels).includes(1);
    faults.unless(active, 'targets', `clip ${clip} has no true label; leave it out, for it cannot be deactivated`);
  }
  return { dims, data };
}
