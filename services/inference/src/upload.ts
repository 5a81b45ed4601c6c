import type { inference } from '@faultline/contracts';
import { common, elementCount } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { shown } from './messages.ts';
import type { AwaitedSlot } from './opening.ts';

const { DATA_TYPE_UINT8, DATA_TYPE_FLOAT32 } = common.DataType;
const TYPE_NAMES: Readonly<Record<number, string>> = { [DATA_TYPE_FLOAT32]: 'float32', [DATA_TYPE_UINT8]: 'uint8' };
const ELEMENT_BYTES: Readonly<Record<number, number>> = { [DATA_TYPE_FLOAT32]: 4, [DATA_TYPE_UINT8]: 1 };

/** A slot on its way in. */
interface Arriving {
  readonly dataType: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled: number;
}

type Uploaded =
  | { readonly dims: readonly number[]; readonly data: Float32Array<ArrayBuffer> }
  | { readonly dims: readonly number[]; readonly data: Uint8Array<ArrayBuffer> };

/** Tensors on their way in, each written straight into the memory that it will be computed from. */
export class Upload {
  readonly #awaited: ReadonlyMap<string, AwaitedSlot>;
  readonly #arriving = new Map<string, Arriving>();
  readonly #complete = new Set<string>();

  constructor(awaited: ReadonlyMap<string, AwaitedSlot>) {
    this.#awaited = awaited;
  }

  /** Slots of which rows are missing. */
  get missing(): readonly string[] {
    return [...this.#awaited.keys()].filter((slot) => !this.#complete.has(slot));
  }

  /** Takes a piece. @throws FaultlineError when it does not belong, or is more than was announced. */
  add({ slot, rows, last }: inference.UploadChunk): void {
    const field = `upload[${shown(slot)}]`;
    const awaited = this.#awaited.get(slot);
    if (awaited === undefined)
      throw FaultlineError.invalid(field, `is not awaited; upload ${this.missing.join(', ') || 'nothing more'}`);
    if (this.#complete.has(slot)) throw FaultlineError.invalid(field, 'was already complete');
    const arriving = this.#arrivingOf(slot, awaited, rows, field);
    const raw = this.#checkedBytes(awaited, arriving, rows, `${field}.rows`);
    if (arriving.filled + raw.byteLength > arriving.bytes.byteLength)
      throw FaultlineError.invalid(field, `is more than the [${awaited.dims.join(', ')}] that were announced`);
    arriving.bytes.set(raw, arriving.filled);
    arriving.filled += raw.byteLength;
    const full = arriving.filled === arriving.bytes.byteLength;
    if (last && !full)
      throw FaultlineError.invalid(
        field,
        `is said to be complete, but rows of [${awaited.dims.join(', ')}] are missing`,
      );
    if (full && !last) throw FaultlineError.invalid(`${field}.last`, 'is false, but this is all that was announced');
    if (full) this.#complete.add(slot);
  }

  /** The memory of a slot, taken when its first piece comes and says of which type it is. */
  #arrivingOf(slot: string, { dims, types }: AwaitedSlot, rows: common.Tensor | undefined, field: string): Arriving {
    const known = this.#arriving.get(slot);
    if (known !== undefined) return known;
    const dataType = rows?.dataType ?? DATA_TYPE_FLOAT32;
    const elementBytes = ELEMENT_BYTES[dataType];
    if (elementBytes === undefined || !types.some((type) => type === dataType))
      throw FaultlineError.invalid(`${field}.rows`, `must be ${types.map((type) => TYPE_NAMES[type]).join(' or ')}`);
    const made = { dataType, bytes: new Uint8Array(elementCount(dims) * elementBytes), filled: 0 };
    this.#arriving.set(slot, made);
    return made;
  }

  /** The bytes of a piece whose type and row shape fit. */
  #checkedBytes({ dims }: AwaitedSlot, arriving: Arriving, rows: common.Tensor | undefined, field: string): Uint8Array {
    if (rows === undefined) throw FaultlineError.invalid(field, 'is missing');
    if (rows.value?.$case !== 'raw') throw FaultlineError.invalid(field, 'holds no raw bytes');
    if (rows.dataType !== arriving.dataType)
      throw FaultlineError.invalid(field, `must be ${TYPE_NAMES[arriving.dataType]}, as the piece before`);
    const row = dims.slice(1);
    if (rows.dims.length !== dims.length || rows.dims.slice(1).join() !== row.join())
      throw FaultlineError.invalid(
        field,
        `is [${rows.dims.slice(0, dims.length + 1).join(', ')}]; it must be [${['rows', ...row].slice(0, dims.length).join(', ')}]`,
      );
    const raw = rows.value.value;
    const expected = elementCount(rows.dims) * (ELEMENT_BYTES[arriving.dataType] ?? 0);
    if (raw.byteLength !== expected)
      throw FaultlineError.invalid(
        field,
        `[${rows.dims.join(', ')}] needs ${expected} bytes but holds ${raw.byteLength}`,
      );
    if (raw.byteLength === 0) throw FaultlineError.invalid(field, 'holds no rows');
    return raw;
  }

  /** All tensors, by slot. @throws FaultlineError when one is not complete. */
  tensors(): ReadonlyMap<string, Uploaded> {
    const [missing] = this.missing;
    if (missing !== undefined)
      throw FaultlineError.invalid(`upload[${missing}]`, 'is not complete; upload all of it before the next command');
    return new Map(
      Array.from(this.#arriving, ([slot, { dataType, bytes }]) => {
        const { dims = [] } = this.#awaited.get(slot) ?? {};
        const data = dataType === DATA_TYPE_UINT8 ? bytes : new Float32Array(bytes.buffer);
        return [slot, { dims, data } as Uploaded];
      }),
    );
  }
}
