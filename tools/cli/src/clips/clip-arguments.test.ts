import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { MAX_REQUEST_BYTES, readClips, requestGroups } from './clip-arguments.ts';

let folder = '';
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-test-'));
});
after(() => rm(folder, { recursive: true }));

test('what is a file is sent, what looks like one is missed, the rest are clips of the set', async () => {
  const file = join(folder, 'unseen-001');
  await writeFile(file, 'sound');
  const clips = await readClips([file, 'unseen-002'], ['dog']);
  assert.deepEqual(
    clips.map(({ source, size }) => [source.name, source.source?.$case, source.labels, size]),
    [
      [file, 'media', ['dog'], 5],
      ['unseen-002', 'clipId', ['dog'], 0],
    ],
  );
  for (const name of ['nowhere.mp4', 'no/where', join(file, 'below')]) {
    await assert.rejects(readClips([name]), { name: 'UsageError', message: /there is no file .*clip of the set/ });
  }
});

test('folders, empty and huge files, and a clip named twice are refused with a remedy', async () => {
  await mkdir(join(folder, 'clips'));
  await assert.rejects(readClips([join(folder, 'clips')]), { name: 'UsageError', message: /is a folder.*clips\/\*/ });
  await writeFile(join(folder, 'empty'), '');
  await assert.rejects(readClips([join(folder, 'empty')]), { name: 'UsageError', message: /is empty/ });
  await writeFile(join(folder, 'huge'), '');
  await truncate(join(folder, 'huge'), MAX_REQUEST_BYTES + 1);
  await assert.rejects(readClips([join(folder, 'huge')]), { name: 'UsageError', message: /62\.9 MB.*ffmpeg/ });
  await assert.rejects(readClips(['a', 'b', 'a']), { name: 'UsageError', message: /a is named twice/ });
});

test('requests hold as many clips, and as many bytes, as they may', () => {
  const clip = (size: number) => ({ source: { name: '', source: undefined, labels: [] }, size });
  const sizes = (groups: ReturnType<typeof requestGroups>) => groups.map((group) => group.map(({ size }) => size));
  assert.deepEqual(sizes(requestGroups([1, 2, 3].map(clip), 2)), [[1, 2], [3]]);
  assert.deepEqual(sizes(requestGroups([MAX_REQUEST_BYTES, 1, 2].map(clip), 9)), [[MAX_REQUEST_BYTES], [1, 2]]);
  assert.deepEqual(requestGroups([], 9), []);
});
