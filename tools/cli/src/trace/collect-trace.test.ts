import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { SpanRecord } from '@faultline/service-kit';
import { collectTrace, slowestSpans } from './collect-trace.ts';

/** A span from `startMs` (after an arbitrary moment that a double cannot hold in nanoseconds) on. */
function span(spanId: string, parentSpanId: string, name: string, startMs: number, durationMs: number): SpanRecord {
  const startUnixNano = String(1_800_000_000_000_000_001n + BigInt(startMs) * 1_000_000n);
  return {
    traceId: 'aa',
    spanId,
    parentSpanId,
    name,
    kind: 'INTERNAL',
    service: 'score',
    startUnixNano,
    durationMs,
    status: 'UNSET',
    attributes: {},
  };
}

test('the spans of one trace are collected from all files, by start', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-test-'));
  try {
    const line = (record: SpanRecord) => `${JSON.stringify(record)}\n`;
    const other = { ...span('9', '', 'other', 0, 1), traceId: 'bb', attributes: { seen: 'aa' } };
    await writeFile(join(folder, 'score-1.jsonl'), line(span('2', '1', 'inner', 2, 1)) + line(other));
    await writeFile(join(folder, 'cli-2.jsonl'), line(span('1', '', 'outer', 1, 5)));
    await writeFile(join(folder, 'notes.txt'), 'aa');
    assert.deepEqual(
      (await collectTrace([folder], 'aa')).map(({ name }) => name),
      ['outer', 'inner'],
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('time of its own leaves out what children cover, overlapping children once', () => {
  const spans = [
    span('1', '', 'campaign', 0, 100),
    span('2', '1', 'attack', 10, 40),
    span('3', '1', 'attack', 30, 40),
    // Ends after its parent, as a call that was cancelled does.
    span('4', '1', 'verify', 90, 60),
    span('5', '1', 'score.v1/WatchCampaign', 70, 10),
  ];
  assert.deepEqual(slowestSpans(spans, 2), [
    { service: 'score', name: 'attack', spans: 2, totalMs: 80, selfMs: 80 },
    { service: 'score', name: 'verify', spans: 1, totalMs: 60, selfMs: 60 },
  ]);
  assert.equal(slowestSpans(spans, 3)[2]?.selfMs, 20);
});
