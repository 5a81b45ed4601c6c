import { type Feeds, Session } from '@faultline/ort';

const ROUNDS = 30;

/** Milliseconds of one evaluation of the same feeds by several models: the median of runs that take turns. */
export async function latencies(models: readonly Uint8Array[], feeds: Feeds, threads: number): Promise<number[]> {
  await using opened = new AsyncDisposableStack();
  const sessions: Session[] = [];
  for (const model of models) sessions.push(opened.use(await Session.create(model, { threads, memory: 'kept' })));
  const times = models.map((): number[] => []);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const [index, session] of sessions.entries()) {
      const start = performance.now();
      await session.run(feeds);
      times[index]?.push(performance.now() - start);
    }
  }
  return times.map((each) => each.toSorted((a, b) => a - b)[ROUNDS / 2] ?? Number.NaN);
}
