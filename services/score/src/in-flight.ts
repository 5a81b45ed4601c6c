/**
 * Runs `work` on all items, at most `limit` at once. When one fails, the signal of the others is aborted, and they have ended
 * before this throws.
 * @returns results in the order of the items.
 */
export async function inFlight<Item, Result>(
  items: readonly Item[],
  limit: number,
  signal: AbortSignal,
  work: (item: Item, index: number, signal: AbortSignal) => Promise<Result>,
): Promise<Result[]> {
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const results: { index: number; result: Result }[] = [];
  const waiting = items.entries();
  const worker = async (): Promise<void> => {
    for (const [index, item] of waiting) {
      stop.throwIfAborted();
      results.push({ index, result: await work(item, index, stop) });
    }
  };
  const workers = Array.from({ length: limit }, worker);
  try {
    await Promise.all(workers);
  } catch (thrown) {
    failure.abort(thrown);
    await Promise.allSettled(workers);
    throw thrown;
  }
  return results.sort((a, b) => a.index - b.index).map(({ result }) => result);
}
