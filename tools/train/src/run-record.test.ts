import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { victim } from '@faultline/contracts';
import { type RunRecord, sistersOf, spreadOver, writeRecord } from './run-record.ts';

const record = (seed: number, value: number, more: Partial<RunRecord> = {}): RunRecord => ({
  name: 'late',
  seed,
  command: `npm run train -- --spec late --seed ${seed} --threads 1 --pack DIR`,
  measuredOn: 'the clips',
  metrics: [victim.CleanMetrics.fromPartial({ split: 'test-unseen', clips: 800, meanAveragePrecision: value })],
  ...more,
});

test('the spread is that of runs which differ in their seed alone, measured on the same clips', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-records-'));
  try {
    const own = record(1, 0.7);
    const others = [
      record(2, 0.73),
      record(3, 0.67),
      record(4, 0.1, { command: 'npm run train -- --spec late --seed 4 --threads 1 --steps 9 --pack DIR' }),
      record(5, 0.1, { measuredOn: 'other clips' }),
      record(6, 0.1, { name: 'late-matched' }),
    ];
    for (const one of [own, ...others]) await writeRecord(folder, one);
    const spread = spreadOver(await sistersOf(folder, own), 'test-unseen');
    assert.deepEqual(
      [spread?.seeds, spread?.meanAveragePrecisions],
      [
        [1, 2, 3],
        [0.7, 0.73, 0.67],
      ],
    );
    assert.ok(Math.abs((spread?.mean ?? 0) - 0.7) < 1e-12);
    assert.ok(Math.abs((spread?.standardDeviation ?? 0) - 0.03) < 1e-12);
    assert.equal(spreadOver([own], 'test-unseen'), undefined);
    assert.equal(spreadOver(await sistersOf(folder, own), 'elsewhere'), undefined);
  } finally {
    await rm(folder, { recursive: true });
  }
});
