import { common, type DenseTensor, elementCount } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';

/** Rows of a float32 tensor on their way in: copied once, from the message to where they stay. */
export class ArrivingRows {
  readonly #slot: string;
  readonly #expectedRows: number;
  #dims: readonly number[] | undefined;
  #bytes = new Uint8Array();
  #filled = 0;

  /** `expectedRows`: how many there will be, where they come in more than one piece. */
  constructor(slot: string, expectedRows: number) {
    this.#slot = slot;
    this.#expectedRows = expectedRows;
  }

  /** @throws FaultlineError internal for a piece that does not go with those before, or is more than was expected. */
  add({ dataType, dims, value }: common.Tensor, last: boolean): void {
    if (dataType !== common.DataType.DATA_TYPE_FLOAT32 || value?.$case !== 'raw')
      throw this.#broken('is no raw float32');
    this.#dims ??= last || dims.length === 0 ? dims : [this.#expectedRows, ...dims.slice(1)];
    if (this.#filled === 0) this.#bytes = new Uint8Array(elementCount(this.#dims) * Float32Array.BYTES_PER_ELEMENT);
    const raw = value.value;
    if (dims.slice(1).join() !== this.#dims.slice(1).join() || this.#filled + raw.byteLength > this.#bytes.byteLength)
      throw this.#broken(`sent rows [${dims.join(', ')}] that do not fit into [${this.#dims.join(', ')}]`);
    this.#bytes.set(raw, this.#filled);
    this.#filled += raw.byteLength;
    if (last && this.#filled < this.#bytes.byteLength) throw this.#broken('ended before all of its rows had come');
  }

  get tensor(): DenseTensor<Float32Array> {
    return { dims: this.#dims ?? [0], data: new Float32Array(this.#bytes.buffer) };
  }

  #broken(problem: string): FaultlineError {
    return new FaultlineError('internal', `slot '${this.#slot}' ${problem}`);
  }
}
