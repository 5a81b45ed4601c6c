import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { CampaignRecord } from './campaign-record.ts';
import { CampaignStore } from './campaign-store.ts';

let folder = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-store-'));
  // The remains of a first start that was interrupted.
  await mkdir(join(folder, 'db'));
  await writeFile(join(folder, 'db', 'PG_VERSION'), '18');
});

after(() => rm(folder, { recursive: true }));

const record = (id: string): CampaignRecord => ({
  id,
  name: `campaign ${id}`,
  specification: { name: 'x', seed: 2 ** 52 },
  state: 'running',
  startedAt: new Date('2026-11-22T10:00:00.123Z'),
  endedAt: undefined,
  error: '',
  caller: "o'hara",
  traceId: 'abc',
  reportJson: undefined,
});

test('campaigns are filed, ended once, kept over restarts, and abandoned ones have failed', async () => {
  const end = {
    state: 'succeeded',
    endedAt: new Date('2026-11-22T11:00:00Z'),
    error: '',
    reportJson: '{"b":1,"a":2}',
  } as const;
  {
    await using store = await CampaignStore.open(folder);
    assert.equal(await store.insert(record('1'), 'key'), '1');
    assert.equal(await store.insert(record('2'), 'key'), '1', 'a used key files nothing');
    assert.deepEqual(await store.findByKey('key'), record('1'));
    assert.equal(await store.insert(record('3'), ''), '3');
    assert.equal(await store.insert(record('4'), ''), '4', 'no key, no protection');
    assert.deepEqual(await store.get('1'), record('1'));
    await store.finish('1', end);
    await store.finish('1', { state: 'failed', endedAt: new Date(), error: 'late', reportJson: undefined });
    assert.deepEqual(await store.get('1'), { ...record('1'), ...end });
    assert.equal(await store.get('2'), undefined);
  }
  await using store = await CampaignStore.open(folder);
  const listed = await store.list(10, '');
  assert.deepEqual(
    listed.map(({ id, state }) => [id, state]),
    [
      ['4', 'failed'],
      ['3', 'failed'],
      ['1', 'succeeded'],
    ],
  );
  assert.match(listed[0]?.error ?? '', /the score service ended while this campaign was running/);
  assert.equal(listed[2]?.reportJson, undefined, 'lists carry no reports');
  assert.equal((await store.get('1'))?.reportJson, end.reportJson);
  assert.deepEqual(
    (await store.list(1, '4')).map(({ id }) => id),
    ['3'],
  );
  await store.refer('1', ['a', 'b']);
  await store.refer('1', ['b']);
  await store.refer('3', ['b', 'c']);
  assert.deepEqual([...(await store.artefactsOf(['1']))].sort(), ['a', 'b']);
  await store.insert(record('5'), '');
  await store.remove(['1', '5']);
  assert.deepEqual(
    (await store.all()).map(({ id }) => id),
    ['5', '4', '3'],
    'running campaigns stay',
  );
  assert.deepEqual([...(await store.artefactsOf(['1', '3', '4']))].sort(), ['b', 'c']);
  assert.ok((await readdir(folder)).some((name) => name.startsWith('db-incomplete-')));
});
