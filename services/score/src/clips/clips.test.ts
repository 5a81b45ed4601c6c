import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { writeClipSet } from '../test-support/linear-campaign.ts';
import { type Clip, openClipSet, parseManifest } from './manifest.ts';

function clip(id: number, stratum: string, label: string): Clip {
  const sha256 = id.toString(16).padStart(64, '0');
  return { id: `${id}`, file: `${id}.mp4`, sha256, labels: [label], stratum, agree: true, groups: [] };
}

test('sets are found by name; unknown names and names that climb are not', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-clips-'));
  await writeClipSet(folder);
  await writeClipSet(join(folder, 'more'));
  assert.equal((await openClipSet(folder, ''))?.folder, folder);
  assert.equal((await openClipSet(folder, 'linear'))?.folder, folder);
  assert.equal((await openClipSet(folder, 'more'))?.folder, join(folder, 'more'));
  assert.equal(await openClipSet(folder, 'less'), undefined);
  assert.equal(await openClipSet(join(folder, 'more'), '../more'), undefined);
  await rm(folder, { recursive: true });
});

test('a broken manifest is refused, naming the field', () => {
  const manifest = (change: object) =>
    JSON.stringify({ name: 'x', version: '1', clips: [{ ...clip(1, 'seen', 'dog'), ...change }] });
  assert.throws(() => parseManifest('{', 'f'), /manifest.json is not JSON/);
  assert.throws(() => parseManifest(manifest({ labels: [] }), 'f'), /clips\.0\.labels/);
  assert.throws(() => parseManifest(manifest({ file: '../secret' }), 'f'), /'..\/secret' is outside the set/);
  assert.throws(
    () => parseManifest(JSON.stringify({ name: 'x', version: 1, clips: [clip(1, 's', 'd'), clip(1, 's', 'd')] }), 'f'),
    /'1' is used twice/,
  );
});
