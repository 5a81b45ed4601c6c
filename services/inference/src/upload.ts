import { type DenseTensor, elementCount, type inference, joinRows } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { exampleDims, type LoopPlan, PROTOCOL_VERSION, type VictimDescription } from '@faultline/victim';
import { tensorOf } from './messages.ts';

/** Bytes that the constants of one loop may take. */
const MAX_CONSTANT_BYTES = 64 * 1024 * 1024;

const NOISE_KEY_BYTES = 8;

function noiseOf(open: inference.OpenRequest, { card }: VictimDescription): Pick<LoopPlan, 'noise' | 'noiseKeys'> {
  if (open.noiseKeys.byteLength === 0) return {};
  if (open.noiseKeys.byteLength !== open.exampleClips.length * NOISE_KEY_BYTES) {
    throw FaultlineError.invalid(
      'open.noise_keys',
      `holds ${open.noiseKeys.byteLength} bytes; give ${NOISE_KEY_BYTES} for each of ${open.exampleClips.length} examples`,
    );
  }
  const noiseKeys = BigUint64Array.from({ length: open.exampleClips.length }, (_, i) =>
    open.noiseKeys.readBigUInt64LE(i * NOISE_KEY_BYTES),
  );
  if (open.noise !== 1 && open.noise !== 2)
    throw FaultlineError.invalid('open.noise', `is ${open.noise}; give UNIFORM or NORMAL with noise keys`);
  const distribution = open.noise === 1 ? 'uniform' : 'normal';
  const noise = card.inputs
    .filter(({ name }) => open.variables.includes(name))
    .map((input) => ({ name: input.name, distribution, dims: exampleDims(input) }) as const);
  return { noise, noiseKeys };
}

/** A clean batch on its way in: checks what was announced at once, and every chunk as it arrives. */
export class Upload {
  readonly #open: inference.OpenRequest;
  readonly #description: VictimDescription;
  readonly #pieces = new Map<string, DenseTensor[]>();
  readonly #complete = new Set<string>();
  #constantBytes = 0;

  /** @throws FaultlineError naming the field of the opening that cannot be served. */
  constructor(open: inference.OpenRequest, description: VictimDescription) {
    const { card, maxExamples } = description;
    if (open.protocolVersion !== PROTOCOL_VERSION) {
      throw FaultlineError.invalid(
        'open.protocol_version',
        `is ${open.protocolVersion}; this service speaks ${PROTOCOL_VERSION}`,
      );
    }
    if (open.modelSha256 !== card.sha256) {
      throw new FaultlineError(
        'failed_precondition',
        `the caller expects model ${open.modelSha256 || '(none given)'} but this service holds ${card.sha256}; describe it again`,
      );
    }
    for (const [field, count] of [
      ['open.example_clips', open.exampleClips.length],
      ['open.clips', open.clips],
    ] as const) {
      if (count < 1 || count > maxExamples)
        throw FaultlineError.invalid(field, `is ${count}; give 1 to ${maxExamples}`);
    }
    this.#open = open;
    this.#description = description;
  }

  /** Takes a chunk. @throws FaultlineError when it does not belong, or is more than was announced. */
  add(chunk: inference.UploadChunk): void {
    const field = `upload[${chunk.slot}]`;
    if (this.#complete.has(chunk.slot)) throw FaultlineError.invalid(field, 'was already complete');
    const tensor = tensorOf(chunk.rows, `${field}.rows`);
    const limit = this.#limitOf(chunk.slot, tensor, field);
    const pieces = this.#pieces.get(chunk.slot) ?? [];
    pieces.push(tensor);
    const rows = pieces.reduce((sum, piece) => sum + (piece.dims[0] ?? 1), 0);
    if (rows > limit) throw FaultlineError.invalid(field, `holds ${rows} rows; ${limit} were announced`);
    this.#pieces.set(chunk.slot, pieces);
    if (chunk.last) this.#complete.add(chunk.slot);
  }

  /** Rows that a slot may hold; also checks the shape of a row. */
  #limitOf(slot: string, tensor: DenseTensor, field: string): number {
    const row = tensor.dims.slice(1);
    const expect = (dims: readonly number[]) => {
      if (row.join() !== dims.join())
        throw FaultlineError.invalid(
          `${field}.rows`,
          `has rows of [${row.join(', ')}]; they must be [${dims.join(', ')}]`,
        );
    };
    const input = this.#description.card.inputs.find(({ name }) => slot === `x0/${name}`);
    if (input !== undefined) {
      expect(exampleDims(input));
      return this.#open.clips;
    }
    if (slot === 'targets') {
      expect([this.#description.card.labels.length]);
      return this.#open.exampleClips.length;
    }
    if (slot.startsWith('const/')) {
      this.#constantBytes += elementCount(tensor.dims) * tensor.data.BYTES_PER_ELEMENT;
      if (this.#constantBytes > MAX_CONSTANT_BYTES)
        throw FaultlineError.invalid(field, `constants are limited to ${MAX_CONSTANT_BYTES} bytes in all`);
      return Number.POSITIVE_INFINITY;
    }
    throw FaultlineError.invalid(
      field,
      `is no slot; upload x0/ of ${this.#description.card.inputs.map(({ name }) => name).join(', ')}, targets, or const/ slots`,
    );
  }

  #take(slot: string): DenseTensor {
    const pieces = this.#pieces.get(slot);
    if (pieces === undefined || !this.#complete.has(slot))
      throw FaultlineError.invalid(`upload[${slot}]`, 'is not complete; upload all of it before the first command');
    const joined = joinRows(pieces);
    // A single piece is a view on its message.
    return pieces.length > 1 ? joined : { dims: joined.dims, data: joined.data.slice() };
  }

  /** The whole opening. @throws FaultlineError when something is missing. */
  plan(): LoopPlan {
    const { programs, variables, exampleClips } = this.#open;
    if (programs === undefined) throw FaultlineError.invalid('open.programs', 'is missing');
    const targets = this.#take('targets');
    if (!(targets.data instanceof Float32Array)) throw FaultlineError.invalid('upload[targets]', 'must be float32');
    const constants = [...this.#pieces.keys()].filter((slot) => slot.startsWith('const/'));
    return {
      modelSha256: this.#open.modelSha256,
      programs: {
        objective: programs.objective.slice(),
        step: programs.step.slice(),
        init: programs.init.byteLength === 0 ? undefined : programs.init.slice(),
      },
      variables: variables.map((name) => ({ name, scope: 'example' })),
      exampleClips,
      inputs: new Map(this.#description.card.inputs.map(({ name }) => [name, this.#take(`x0/${name}`)])),
      targets: { dims: targets.dims, data: targets.data },
      constants: new Map(constants.map((slot) => [slot.slice('const/'.length), this.#take(slot)])),
      ...noiseOf(this.#open, this.#description),
    };
  }
}
