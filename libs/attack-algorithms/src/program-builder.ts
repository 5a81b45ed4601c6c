import { type Dimension, encodeModel, GraphBuilder } from '@faultline/onnx';

/** The axis that counts examples. */
const EXAMPLES = 'examples';

/** Builds a weightless program whose inputs and outputs are slots of the program protocol (inference.v1alpha1.Programs). */
export class ProgramBuilder extends GraphBuilder {
  readonly #slots = new Set<string>();

  #slot(name: string, dims: readonly Dimension[]): string {
    if (!this.#slots.has(name)) {
      this.input(name, dims);
      this.#slots.add(name);
    }
    return name;
  }

  /** Reads a slot with a row an example: [examples, ...dims]. */
  read(slot: string, dims: readonly number[] = []): string {
    return this.#slot(slot, [EXAMPLES, ...dims]);
  }

  /** Reads const/`name`, which has no axis of examples. */
  constantSlot(name: string, dims: readonly number[]): string {
    return this.#slot(`const/${name}`, dims);
  }

  /** Writes a slot with a row an example. */
  write(slot: string, value: string, dims: readonly number[] = []): void {
    this.output(value, [EXAMPLES, ...dims], this.floatType, slot);
  }

  /** Turns a value an example, [examples], into [examples, 1, ..] that broadcasts over the coordinates. */
  spread(value: string, dims: readonly number[]): string {
    return this.reshape(value, [-1, ...dims.map(() => 1)]);
  }

  /** The program as an ONNX file. */
  bytes(name: string): Uint8Array {
    return encodeModel(this.model(name));
  }
}
