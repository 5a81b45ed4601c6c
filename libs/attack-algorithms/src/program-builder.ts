import { type Dimension, encodeModel, type Graph, GraphBuilder, int, renameValues } from '@faultline/onnx';
import { gradientOutcome } from './gradient-outcomes.ts';

/** The axis that counts examples. */
const EXAMPLES = 'examples';

const GRADIENT = 'grad/';

/** Builds a weightless program whose inputs and outputs are slots of the program protocol (inference.v1alpha1.Programs). */
export class ProgramBuilder extends GraphBuilder {
  readonly #slots = new Set<string>();
  /** Variables whose gradient is read. */
  readonly #gradients = new Set<string>();

  #slot(name: string, dims: readonly Dimension[]): string {
    if (!this.#slots.has(name)) {
      this.input(name, dims);
      this.#slots.add(name);
    }
    return name;
  }

  /** Reads a slot with a row an example: [examples, ...dims]. */
  read(slot: string, dims: readonly number[] = []): string {
    if (slot.startsWith(GRADIENT)) this.#gradients.add(slot.slice(GRADIENT.length));
    return this.#slot(slot, [EXAMPLES, ...dims]);
  }

  /** Reads a slot with one row for all examples: [1, ...dims]. */
  readShared(slot: string, dims: readonly number[] = []): string {
    return this.#slot(slot, [1, ...dims]);
  }

  /** Reads const/`name`, which has no axis of examples. */
  constantSlot(name: string, dims: readonly number[]): string {
    return this.#slot(`const/${name}`, dims);
  }

  /** Writes a slot with a row an example. */
  write(slot: string, value: string, dims: readonly number[] = []): void {
    this.output(value, [EXAMPLES, ...dims], this.floatType, slot);
  }

  /** Writes a slot with one row for all examples. */
  writeShared(slot: string, value: string, dims: readonly number[] = []): void {
    this.output(value, [1, ...dims], this.floatType, slot);
  }

  /** Turns a value an example, [examples], into [examples, 1, ..] that broadcasts over the coordinates. */
  spread(value: string, dims: readonly number[]): string {
    return this.reshape(value, [-1, ...dims.map(() => 1)]);
  }

  /** 0, 1, .., `size` - 1, [size]: made at loading, for as a constant those of a waveform would fill a program. */
  positions(size: number): string {
    return this.op('Range', [this.scalar(0), this.scalar(size), this.scalar(1)]);
  }

  /** The program as an ONNX file. A step program also tells how large each gradient is that it reads, whatever the attack (see evidence.ts). */
  bytes(name: string): Uint8Array {
    for (const variable of this.#gradients) this.write(gradientOutcome(variable), this.#sizeOf(GRADIENT + variable));
    this.#gradients.clear();
    const model = this.model(name);
    return encodeModel({ ...model, graph: writtenWhereMade(model.graph) });
  }

  /** Sum of absolute values of each example, [examples]: no square, which would round small gradients to 0. */
  #sizeOf(value: string): string {
    return this.op('ReduceL1', [this.reshape(value, [0, -1]), this.ints([1])], { keepdims: int(0) });
  }
}

/** Names values after the slots that they are written to, where an Identity copied them there: a copy of a point takes as long as arithmetic on it. */
function writtenWhereMade(graph: Graph): Graph {
  const made = new Set(graph.nodes.flatMap(({ op, outputs }) => (op === 'Identity' ? [] : outputs)));
  const slots = new Map<string, string>();
  const nodes = graph.nodes.filter(({ op, inputs: [value = ''], outputs: [slot = ''] }) => {
    if (op !== 'Identity' || !made.has(value) || slots.has(value)) return true;
    slots.set(value, slot);
    return false;
  });
  return renameValues({ ...graph, nodes }, (name) => slots.get(name) ?? name);
}
