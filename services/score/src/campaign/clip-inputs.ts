import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DenseTensor, decodeTensor, victim } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { exampleDims } from '@faultline/victim';
import type { Clip, ClipSet } from '../clips/manifest.ts';
import type { Services } from './services.ts';
import type { ClipInputs } from './tensor-rows.ts';

/** Extracted inputs that are kept between campaigns; about a thousand clips of two seconds. */
const MAX_CACHE_BYTES = 256 * 1024 * 1024;

type Row = DenseTensor<Float32Array | Uint8Array>;

/** SHA-256 of an input specification in its canonical protobuf bytes. */
function specificationDigest(input: victim.InputSpecification): string {
  return createHash('sha256').update(victim.InputSpecification.encode(input).finish()).digest('hex');
}

/** Extracted inputs by (media digest, specification digest); the least recently used go first. */
export class InputCache {
  readonly #rows = new Map<string, Row>();
  #bytes = 0;

  get(media: string, specification: string): Row | undefined {
    const key = `${media}/${specification}`;
    const row = this.#rows.get(key);
    if (row === undefined) return undefined;
    this.#rows.delete(key);
    this.#rows.set(key, row);
    return row;
  }

  set(media: string, specification: string, row: Row): void {
    this.#rows.set(`${media}/${specification}`, row);
    this.#bytes += row.data.byteLength;
    for (const [key, oldest] of this.#rows) {
      if (this.#bytes <= MAX_CACHE_BYTES) return;
      this.#rows.delete(key);
      this.#bytes -= oldest.data.byteLength;
    }
  }
}

/** Reads a clip's media and checks that it is what the manifest says. */
async function readMedia(set: ClipSet, clip: Clip): Promise<Uint8Array> {
  const media = await readFile(join(set.folder, clip.file)).catch((cause: unknown) => {
    throw new FaultlineError('failed_precondition', `clip '${clip.id}': its file '${clip.file}' cannot be read`, {
      cause,
    });
  });
  const digest = createHash('sha256').update(media).digest('hex');
  if (digest !== clip.sha256) {
    const remedy = 'restore the file or build the clip set again';
    throw new FaultlineError(
      'failed_precondition',
      `clip '${clip.id}': '${clip.file}' is not the file of the manifest; ${remedy}`,
    );
  }
  return media;
}

/** An extracted tensor, checked against what was asked for and copied out of its message. */
function checkedRow(clip: Clip, input: victim.InputSpecification, tensor: DenseTensor): Row {
  const dims = exampleDims(input);
  const { data } = tensor;
  const typed = data instanceof Float32Array || data instanceof Uint8Array;
  if (!typed || tensor.dims.length !== dims.length || dims.some((size, axis) => tensor.dims[axis] !== size)) {
    const got = `[${tensor.dims.join(', ')}]`;
    throw new FaultlineError(
      'internal',
      `clip '${clip.id}': features returned ${input.name} ${got}, not [${dims.join(', ')}]`,
    );
  }
  return { dims, data: data.slice() };
}

/**
 * Inputs of one clip for these specifications, by name; extracted by the features service unless they are in the cache.
 * @throws FaultlineError when the media cannot be read, is not the manifest's, or cannot be extracted.
 */
export async function clipInputs(
  services: Services,
  cache: InputCache,
  set: ClipSet,
  clip: Clip,
  inputs: readonly victim.InputSpecification[],
  signal: AbortSignal,
): Promise<ClipInputs> {
  const missing = inputs.filter((input) => cache.get(clip.sha256, specificationDigest(input)) === undefined);
  const extracted = new Map<victim.InputSpecification, Row>();
  if (missing.length > 0) {
    const media = await readMedia(set, clip);
    const response = await services.extract(media, missing, signal);
    for (const [index, input] of missing.entries()) {
      const tensor = response.inputs[index]?.tensor;
      if (tensor === undefined) throw new FaultlineError('internal', `features service: '${input.name}' is missing`);
      const row = checkedRow(clip, input, decodeTensor(tensor));
      extracted.set(input, row);
      cache.set(clip.sha256, specificationDigest(input), row);
    }
  }
  return new Map(
    inputs.map((input) => {
      const row = extracted.get(input) ?? cache.get(clip.sha256, specificationDigest(input));
      if (row === undefined) throw new FaultlineError('internal', `input '${input.name}' left the cache too soon`);
      return [input.name, row];
    }),
  );
}
