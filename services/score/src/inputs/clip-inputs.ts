import { createHash } from 'node:crypto';
import { type DenseTensor, decodeTensor, victim } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { exampleDims } from '@faultline/victim';
import type { Services } from '../peers/services.ts';
import type { ClipInputs } from '../peers/tensor-rows.ts';
import type { InputLookup, InputRow } from './input-cache.ts';

/** Media in flight: the features service decodes on as many cores as it has, usually few. */
export const EXTRACTIONS_IN_FLIGHT = 2;

/** Media that inputs can be extracted from. */
export interface Media {
  /** Name for people, for instance "clip 'dog-1'". */
  readonly title: string;
  /** SHA-256 of its bytes. */
  readonly sha256: string;
  /** Its bytes; read only when something has to be extracted. */
  readonly read: () => Promise<Uint8Array>;
}

/** SHA-256 of an input specification in its canonical protobuf bytes. */
function specificationDigest(input: victim.InputSpecification): string {
  return createHash('sha256').update(victim.InputSpecification.encode(input).finish()).digest('hex');
}

/** An extracted tensor, checked against what was asked for and copied out of its message. */
function checkedRow(media: Media, input: victim.InputSpecification, tensor: DenseTensor): InputRow {
  const dims = exampleDims(input);
  const { data } = tensor;
  const typed = data instanceof Float32Array || data instanceof Uint8Array;
  if (!typed || tensor.dims.length !== dims.length || dims.some((size, axis) => tensor.dims[axis] !== size)) {
    const got = `[${tensor.dims.join(', ')}]`;
    throw new FaultlineError(
      'internal',
      `${media.title}: features returned ${input.name} ${got}, not [${dims.join(', ')}]`,
    );
  }
  return { dims, data: data.slice() };
}

/**
 * Inputs of one clip for these specifications, by name; extracted by the features service unless they are in the cache.
 * @throws FaultlineError when the media cannot be read, or cannot be extracted.
 */
export async function clipInputs(
  services: Services,
  cache: InputLookup,
  media: Media,
  inputs: readonly victim.InputSpecification[],
  signal: AbortSignal,
): Promise<ClipInputs> {
  const digests = inputs.map(specificationDigest);
  const rows = digests.map((digest) => cache.get(media.sha256, digest));
  const missing = inputs.flatMap((input, index) => (rows[index] === undefined ? [{ input, index }] : []));
  if (missing.length > 0) {
    const specifications = missing.map(({ input }) => input);
    const response = await services.extract(await media.read(), specifications, signal);
    for (const [position, { input, index }] of missing.entries()) {
      const tensor = response.inputs[position]?.tensor;
      if (tensor === undefined) throw new FaultlineError('internal', `features service: '${input.name}' is missing`);
      const row = checkedRow(media, input, decodeTensor(tensor));
      rows[index] = row;
      cache.set(media.sha256, digests[index] ?? '', row);
    }
  }
  return new Map(
    inputs.flatMap((input, index) => {
      const row = rows[index];
      return row === undefined ? [] : [[input.name, row] as const];
    }),
  );
}
