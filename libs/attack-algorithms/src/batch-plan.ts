/** Examples in one loop: enough to keep every thread busy, few enough to stay near the processor and within a few 100 MB. */
const MAX_LOOP_EXAMPLES = 20;

/** Bytes of the attack's own tensors in one loop; the victim's activations come on top. */
const MAX_LOOP_BYTES = 256 * 1024 * 1024;

/** Tensors an example of a variable needs at once: x, x0, gradient, next x, best, next best, two bounds and two in between. */
const RESIDENT_TENSORS = 10;

/** Tensors that each further sample of an example needs at once: its noise, its point, what the victim sees. */
const SAMPLE_TENSORS = 3;

const FLOAT_BYTES = 4;

/** A rectangle of work: clips first .. first + count - 1, each on rungs firstRung .. firstRung + rungs - 1. */
export interface Block {
  readonly firstClip: number;
  readonly clips: number;
  readonly firstRung: number;
  readonly rungs: number;
}

/** Cuts `count` items in as few pieces of at most `most` as possible, as even as possible: [first, size]. */
function evenPieces(count: number, most: number): [first: number, size: number][] {
  const pieces = Math.ceil(count / most);
  return Array.from({ length: pieces }, (_, piece) => {
    const first = Math.floor((piece * count) / pieces);
    return [first, Math.floor(((piece + 1) * count) / pieces) - first];
  });
}

/** Largest number of examples that a loop may hold, where each is evaluated `samples` times a step. */
export function loopExamples(elementsAnExample: number, victimMaxExamples: number, samples = 1): number {
  // What is resident has no sample axis; what the victim is shown has.
  const tensors = RESIDENT_TENSORS + SAMPLE_TENSORS * (samples - 1);
  const byMemory = Math.floor(MAX_LOOP_BYTES / (elementsAnExample * FLOAT_BYTES * tensors));
  const byVictim = Math.floor(victimMaxExamples / samples);
  return Math.max(1, Math.min(MAX_LOOP_EXAMPLES, byVictim, byMemory));
}

/**
 * Cuts clips x rungs into blocks of at most `most` examples. A clip's whole ladder stays in one block where it fits; where it
 * does not, its smaller rungs come first, so that a success there spares the larger ones.
 */
export function planBlocks(clips: number, rungs: number, most: number): Block[] {
  const ladders = evenPieces(rungs, most);
  const widest = Math.max(...ladders.map(([, size]) => size));
  return evenPieces(clips, Math.max(1, Math.floor(most / widest))).flatMap(([firstClip, count]) =>
    ladders.map(([firstRung, size]) => ({ firstClip, clips: count, firstRung, rungs: size })),
  );
}
