import { performance } from 'node:perf_hooks';

const MICROSECONDS_PER_MS = 1000;

/** Times of one kind of work, in milliseconds. */
export interface Timing {
  readonly medianMs: number;
  readonly fastestMs: number;
  /** Median of the time that all threads of this process spent on a processor; other processes hardly touch it. */
  readonly processorMs: number;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const [upper = Number.NaN, lower = upper] = [sorted[middle], sorted[middle - 1]];
  return sorted.length % 2 === 1 ? upper : (lower + upper) / 2;
}

/**
 * Times several kinds of work in turn, so that whatever else the machine does meets all of them alike. Each run follows one
 * of the same kind that is not timed: caches then hold what they hold in a loop.
 */
export async function interleave(works: readonly (() => Promise<unknown>)[], rounds: number): Promise<Timing[]> {
  const times = works.map((): number[] => []);
  const processorTimes = works.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [i, work] of works.entries()) {
      await work();
      const [start, used] = [performance.now(), process.cpuUsage()];
      await work();
      times[i]?.push(performance.now() - start);
      const { user, system } = process.cpuUsage(used);
      processorTimes[i]?.push((user + system) / MICROSECONDS_PER_MS);
    }
  }
  return times.map((values, i) => ({
    medianMs: median(values),
    fastestMs: Math.min(...values),
    processorMs: median(processorTimes[i] ?? []),
  }));
}
