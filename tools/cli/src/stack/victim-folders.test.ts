import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { UsageError } from '../exit-code.ts';
import { victimFolders, victimNames } from './victim-folders.ts';

let root = '';
before(async () => {
  root = await mkdtemp(join(tmpdir(), 'faultline-victims-'));
  const victim = async (path: string, card: string) => {
    await mkdir(join(root, path), { recursive: true });
    await writeFile(join(root, path, 'card.json'), card);
  };
  await victim('zoo/early', '{"name":"early"}');
  await victim('zoo/late', '{"name":"late"}');
  await victim('mine', '{"name":"foreign"}');
  await victim('other', '{"name":"late"}');
  await victim('broken', '{"name":');
});
after(() => rm(root, { recursive: true }));

test('a victim is asked for by name, or by folder; with "all" beside the others', async () => {
  const [zoo, mine] = [join(root, 'zoo'), join(root, 'mine')];
  const names = async (asked: readonly string[]) => [...(await victimFolders(zoo, asked)).keys()];
  assert.deepEqual(await names([]), ['early', 'late']);
  assert.deepEqual(await names(['late']), ['late']);
  assert.deepEqual(await names([mine]), ['foreign']);
  assert.deepEqual(await names(['all', mine]), ['early', 'late', 'foreign']);
  assert.equal((await victimFolders(zoo, ['late', mine])).get('foreign'), mine);
  assert.deepEqual(await victimNames(['late', mine]), ['late', 'foreign']);
  assert.deepEqual(await victimNames(['all', mine]), []);
});

test('what is no victim is refused with the remedy', async () => {
  const refused = (asked: string, words: RegExp) =>
    assert.rejects(
      victimFolders(join(root, 'zoo'), ['all', asked]),
      (error) => error instanceof UsageError && words.test(error.message),
    );
  await refused(join(root, 'nowhere'), /faultline card init/);
  await refused(join(root, 'broken'), /is no card/);
  await refused(join(root, 'other'), /both called late/);
});
