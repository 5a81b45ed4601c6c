import { OrtTensor } from '@faultline/ort';

const sameDims = (a: readonly number[], b: readonly number[]) =>
  a.length === b.length && a.every((size, axis) => size === b[axis]);

/**
 * Memory for results that are made anew in every step: two float32 tensors a name, written in turns. Tensors that the runtime
 * makes itself are fresh pages each time, which cost more than the arithmetic, and stay until they are collected.
 */
export class Scratch {
  readonly #pairs = new Map<string, OrtTensor[]>();

  /** A tensor to write the value `name` into: never `current`, the one that still holds the value before it. */
  take(name: string, dims: readonly number[], current?: OrtTensor): OrtTensor {
    const known = this.#pairs.get(name)?.filter((tensor) => sameDims(tensor.dims, dims)) ?? [];
    const free = known.find((tensor) => tensor !== current);
    if (free !== undefined) return free;
    const made = new OrtTensor('float32', new Float32Array(dims.reduce((product, size) => product * size, 1)), dims);
    this.#pairs.set(name, [...known, made]);
    return made;
  }

  clear(): void {
    this.#pairs.clear();
  }
}
