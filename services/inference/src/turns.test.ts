import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pending, Turns } from './turns.ts';
import type { Job } from './worker-protocol.ts';

const pending = (id: number, job: Job): Pending => ({
  id,
  job,
  transfer: [],
  queuedAt: 0,
  settle: Promise.withResolvers(),
});
const keep = (loop: number): Job => ({ kind: 'keep', loop, examples: [] });
const predict: Job = { kind: 'predict', inputs: new Map(), taps: [], tapValues: new Map() };

test('what frees memory comes first, then predictions, then loops in the order in which they asked', () => {
  const turns = new Turns();
  const jobs = [keep(0), keep(1), predict, { kind: 'close', loop: 2 } as const, keep(0)];
  for (const [id, job] of jobs.entries()) turns.add(pending(id, job));
  assert.deepEqual(
    Array.from(jobs, () => turns.take()?.id),
    [3, 2, 0, 1, 4],
  );
  assert.equal(turns.take(), undefined);
});

test('a job whose caller has gone loses its turn', async () => {
  const turns = new Turns();
  const gone = pending(0, keep(0));
  turns.add(gone);
  turns.add(pending(1, keep(1)));
  turns.drop(gone);
  await assert.rejects(gone.settle.promise, { code: 'cancelled' });
  assert.equal(turns.take()?.id, 1);
  turns.drop(gone);
  assert.deepEqual(turns.clear(), []);
});
