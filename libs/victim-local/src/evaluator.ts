import type { OrtTensor } from '@faultline/ort';

/** Slots and their present values. */
export type Slots = ReadonlyMap<string, OrtTensor>;

/** A value that every clip has, computed once for a batch. */
export interface CleanValue {
  readonly name: string;
  readonly value: OrtTensor;
  /** Rows of its first axis for each clip. */
  readonly rows: number;
}

/** Memory to write a result into; null: the runtime makes it. */
export type ResultMemory = (slot: string) => OrtTensor | null;

/**
 * Evaluates points: what the victim makes of them, and what the objective makes of that. The loop knows nothing of how: beside the
 * weights it is one composed graph, and in front of a predictor of which nothing is known but its answers it is three parts.
 */
export interface Evaluator {
  /** Slots that an evaluation reads. */
  readonly reads: ReadonlySet<string>;
  /** Whether `evaluate` can make gradients. */
  readonly differentiates: boolean;
  /** What never changes within a batch, from its clean inputs x0/I by clip: clean taps, and whatever the attack cannot reach. */
  prepare(clean: Slots): Promise<readonly CleanValue[]>;
  /** loss, logits, tap/T and, with 'gradient', grad/V, of the points in these slots. */
  evaluate(kind: 'gradient' | 'forward', slots: Slots, memory: ResultMemory): Promise<Slots>;
}
