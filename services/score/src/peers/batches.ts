import { exampleDims } from '@faultline/victim';
import type { VictimUnderTest } from './victim-under-test.ts';

/** Large enough to use both cores well, small enough for steady progress and memory. */
const MAX_ATTACK_CLIPS = 8;
const MAX_PREDICT_ROWS = 16;
/** Below the 60 MiB that a message may carry, with room for framing. */
const MAX_BATCH_BYTES = 48 * 1024 * 1024;
const BYTES_PER_ELEMENT = 4;

/** Bytes of all inputs of one example, as float32. */
function exampleBytes(victim: VictimUnderTest): number {
  const elements = victim.card.inputs.map((input) => exampleDims(input).reduce((product, size) => product * size, 1));
  return BYTES_PER_ELEMENT * elements.reduce((sum, count) => sum + count, 0);
}

/** Cuts a list into runs of nearly equal length, none longer than `size`. */
export function cut<Item>(items: readonly Item[], size: number): Item[][] {
  const runs = Math.ceil(items.length / size);
  return Array.from({ length: runs }, (_, run) =>
    items.slice(Math.floor((run * items.length) / runs), Math.floor(((run + 1) * items.length) / runs)),
  );
}

/** Rows that one prediction of this victim may carry. */
export function predictRows(victim: VictimUnderTest): number {
  const byBytes = Math.floor(MAX_BATCH_BYTES / exampleBytes(victim));
  return Math.max(1, Math.min(MAX_PREDICT_ROWS, victim.maxExamples, byBytes));
}

/** Clips that one attack may carry: each rung of the ladder makes an example of every clip, all in one loop; a search has none. */
export function attackClips(victim: VictimUnderTest, rungs: number): number {
  const byExamples = Math.floor(victim.maxExamples / Math.max(1, rungs));
  const byBytes = Math.floor(MAX_BATCH_BYTES / exampleBytes(victim));
  return Math.max(1, Math.min(MAX_ATTACK_CLIPS, byExamples, byBytes));
}
