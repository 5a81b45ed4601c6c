import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { score } from '@faultline/contracts';
import { MessageQueue } from './message-queue.ts';
import { Pace } from './pace.ts';
import { ScoreMemory } from './score-memory.ts';
import { TimeBudget } from './time-budget.ts';

test('a queue keeps the order, makes its writer wait, and drops what may be left out', async () => {
  const queue = new MessageQueue<number>(1);
  await queue.push(1);
  queue.offer(99);
  let isSecondTaken = false;
  const second = queue.push(2).then(() => {
    isSecondTaken = true;
  });
  await setImmediate();
  assert.equal(isSecondTaken, false, 'one message is unread already');
  const read: number[] = [];
  const reading = (async () => {
    for await (const message of queue) read.push(message);
  })();
  await second;
  await queue.push(3);
  queue.end();
  await reading;
  assert.deepEqual(read, [1, 2, 3]);
});

test('a queue fails after what was written before, and frees its writer when nobody reads on', async () => {
  const failing = new MessageQueue<number>(4);
  await failing.push(1);
  failing.fail(new Error('broken'));
  const iterator = failing[Symbol.asyncIterator]();
  assert.deepEqual(await iterator.next(), { done: false, value: 1 });
  await assert.rejects(iterator.next(), /broken/);

  const left = new MessageQueue<number>(0);
  const waiting = left.push(1);
  for await (const _message of left) break;
  await waiting;
  await left.push(2);
});

test('estimates go by the own pace, then the victim’s, then anyone’s', () => {
  const pace = new Pace();
  assert.equal(pace.estimate('a', 'x', 10), undefined);
  pace.observe('a', 'x', 10, 50);
  assert.equal(pace.estimate('b', 'y', 4), 20, 'of another victim');
  pace.observe('b', 'y', 10, 100);
  assert.deepEqual([pace.estimate('a', 'x', 2), pace.estimate('a', 'z', 2), pace.estimate('b', 'z', 2)], [10, 10, 20]);
  pace.observeUnfinished('a', 'x', 10, 400);
  assert.deepEqual([pace.estimate('a', 'x', 2), pace.estimate('a', 'z', 2)], [80, 10], 'says nothing of other work');
  pace.observeUnfinished('a', 'x', 10, 1);
  assert.equal(pace.estimate('a', 'x', 2), 80, 'a lower bound does not lower an estimate');
});

test('a budget without a deadline is unbounded; one in the past is over, which is not being cancelled', () => {
  const call = new AbortController();
  using unbounded = new TimeBudget(undefined, call.signal);
  assert.deepEqual(
    [unbounded.isBounded, unbounded.remainingMs, unbounded.isOver],
    [false, Number.POSITIVE_INFINITY, false],
  );
  using past = new TimeBudget(new Date(Date.now() - 1), call.signal);
  assert.deepEqual([past.isBounded, past.remainingMs, past.isOver, past.isCancelled], [true, 0, true, false]);
  using ample = new TimeBudget(new Date(Date.now() + 3_600_000), call.signal);
  assert.equal(ample.isBounded && !ample.signal.aborted, true);
  assert.equal(ample.earlier(3_600_000).aborted, true);
  call.abort();
  assert.deepEqual([ample.signal.aborted, ample.isOver, ample.isCancelled], [true, false, true]);
});

test('the newest calls are remembered, the oldest forgotten, and those that run never', async () => {
  const memory = new ScoreMemory();
  const request = score.ScoreRequest.fromPartial({ seed: 1 });
  const message: score.ScoreResponse = {
    kind: { $case: 'summary', value: score.ScoreSummary.fromPartial({ planned: 1 }) },
  };
  const running = memory.claim('running', request);
  for (let call = 0; call < 80; call += 1) {
    const claim = memory.claim(`${call}`, request);
    assert.ok('recorded' in claim);
    claim.recorded.finish([message]);
  }
  assert.ok('recorded' in memory.claim('0', request), 'forgotten');
  const newest = memory.claim('79', request);
  assert.ok('earlier' in newest);
  assert.deepEqual(await newest.earlier, [message]);
  const waiting = memory.claim('running', request);
  assert.ok('earlier' in waiting && 'recorded' in running);
  running.recorded.fail();
  assert.equal(await waiting.earlier, undefined);
  assert.ok('recorded' in memory.claim('running', request), 'free again');
});
