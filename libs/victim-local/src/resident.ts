import { float32Data, OrtTensor } from '@faultline/ort';
import { gatherRows, type Rows } from './rows.ts';

/** What stays between steps. */
export interface ResidentValue {
  readonly tensor: OrtTensor;
  /** Rows of the first axis for each example; 0 for a value that all examples share. */
  readonly rows: number;
}

export const toOrt = (rows: Rows) => new OrtTensor('float32', rows.data, rows.dims);
export const fromOrt = (tensor: OrtTensor): Rows => ({ dims: tensor.dims, data: float32Data(tensor) });

export const zeros = (dims: readonly number[]): OrtTensor =>
  new OrtTensor('float32', new Float32Array(dims.reduce((product, size) => product * size, 1)), dims);

/** The tensors of a loop by slot: points, clean points, state, data, targets, and what was computed ahead. */
export class Resident {
  readonly #values = new Map<string, ResidentValue>();

  get(slot: string): OrtTensor | undefined {
    return this.#values.get(slot)?.tensor;
  }

  set(slot: string, tensor: OrtTensor, rows = 1): void {
    this.#values.set(slot, { tensor, rows });
  }

  /** Puts the next value of a slot in the place of the present one. */
  advance(slot: string, tensor: OrtTensor): void {
    this.#values.set(slot, { tensor, rows: this.#values.get(slot)?.rows ?? 1 });
  }

  /** A fresh map, to which a step adds what it computes. */
  slots(): Map<string, OrtTensor> {
    return new Map(Array.from(this.#values, ([slot, { tensor }]) => [slot, tensor]));
  }

  /** Points and states that all examples share. */
  shared(): Map<string, OrtTensor> {
    return new Map(
      Array.from(this.#values).flatMap(([slot, { tensor, rows }]) => (rows === 0 ? [[slot, tensor]] : [])),
    );
  }

  /** Compacts everything that has rows for each example. */
  keep(examples: readonly number[]): void {
    for (const [slot, { tensor, rows }] of this.#values) {
      if (rows > 0) this.#values.set(slot, { tensor: toOrt(gatherRows(fromOrt(tensor), examples, rows)), rows });
    }
  }

  /** A copy, for the next step writes into the memory of this one. @throws RangeError for a slot that is not fetched. */
  fetch(slot: string, examples: readonly number[]): Rows {
    const value = isFetched(slot) ? this.#values.get(slot) : undefined;
    if (value === undefined) {
      const slots = [...this.#values.keys()].filter(isFetched).join(', ');
      throw new RangeError(`slot '${slot}' cannot be fetched; there are ${slots}`);
    }
    const rows = fromOrt(value.tensor);
    return value.rows === 0 ? { dims: rows.dims, data: rows.data.slice() } : gatherRows(rows, examples, value.rows);
  }

  clear(): void {
    this.#values.clear();
  }
}

const isFetched = (slot: string) => /^(x|state)\//.test(slot);
