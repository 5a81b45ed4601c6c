import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { decodeMedia } from '@faultline/media';
import { eventGroups, renderScene, sceneSources } from '../compose.ts';
import type { SourceEntry } from '../manifest.ts';
import { TRAINING_GEOMETRY } from '../render-frames.ts';
import { withMotion } from '../scene.ts';
import { openSet } from '../set/open-set.ts';
import { openSources } from '../sources.ts';
import { assignSplits } from '../splits.ts';
import { writeSyntheticPack } from '../synthetic-pack.ts';
import { syntheticSources } from '../synthetic-sources.ts';
import { type BuildOptions, buildSet } from './build-set.ts';
import { BUILT_PARTS, clipId, sceneOf } from './set-part.ts';

/** Six shards, three of them for training. */
const SIZES = { train: 136, validation: 12, 'test-unseen': 12, 'test-seen': 12 };
const CLIPS = 172;

let folder = '';
let packDir = '';
let entries: readonly SourceEntry[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-build-'));
  packDir = await mkdtemp(join(tmpdir(), 'faultline-pack-'));
  entries = await writeSyntheticPack(packDir);
  await writeFile(
    join(packDir, 'README.md'),
    '# Pack\n\n## Known weaknesses\n\n- It is made up.\n\n## End\n\n- none\n',
  );
});

after(async () => {
  await rm(folder, { recursive: true });
  await rm(packDir, { recursive: true });
});

const build = (out: string, more: Partial<BuildOptions> = {}) =>
  buildSet({
    packDir,
    cacheDir: join(folder, 'cache'),
    out: join(folder, out),
    name: 'small',
    sizes: SIZES,
    seed: 1,
    media: 0,
    workers: 1,
    onProgress: () => {},
    ...more,
  });

/** All files of a set, by name. */
async function contents(out: string): Promise<Map<string, string>> {
  const names = (await readdir(join(folder, out), { recursive: true })).filter((name) => name.includes('.')).sort();
  return new Map(
    await Promise.all(
      names.map(async (name) => [name, (await readFile(join(folder, out, name))).toString('base64')] as const),
    ),
  );
}

test('killed in the middle and continued by other threads, a set has the bytes of one made at once', async () => {
  const main = join(import.meta.dirname, 'main.ts');
  const sizes = ['--train', '136', '--validation', '12', '--unseen', '12', '--seen', '12'];
  const out = join(folder, 'killed');
  const places = ['--pack', packDir, '--cache', join(folder, 'cache'), '--out', out, '--name', 'small'];
  const child = spawn(process.execPath, [main, ...places, ...sizes, '--workers', '1'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const shards = async () =>
    (await readdir(join(out, 'shards')).catch(() => [])).filter((name) => /\.json$/.test(name));
  while ((await shards()).length === 0 && child.exitCode === null) await wait(5);
  child.kill('SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  const before = (await shards()).length;
  assert.ok(before >= 1 && before < 6, `${before} shards were whole`);
  await assert.rejects(openSet(out), /build or import a set into this folder first/);

  await build('killed', { workers: 2 });
  await build('at-once');
  assert.deepEqual(await contents('killed'), await contents('at-once'));
});

test('no group of the test, nor of validation, is in training; seen clips are new renditions of its sources', async () => {
  const { clips } = await build('at-once');
  assert.equal(clips.length, CLIPS);
  const of = (name: string) => clips.filter(({ id }) => id.startsWith(name));
  const groups = (name: string) => new Set(of(name).flatMap((clip) => [...clip.groups, ...clip.sceneryGroups]));
  const shared = (a: string, b: string) => [...groups(a)].filter((group) => groups(b).has(group));
  assert.deepEqual(shared('validation', 'train'), []);
  assert.deepEqual(shared('test-unseen', 'train'), []);
  assert.deepEqual(shared('test-unseen', 'validation'), []);
  const splits = assignSplits(entries);
  for (const { id, sources } of [...of('test-seen'), ...of('train')]) {
    for (const source of sources) assert.equal(splits.get(source), 'train', id);
  }
  assert.equal(new Set(clips.map(({ sha256 }) => sha256)).size, clips.length);
  const bySource = new Map(entries.map((entry) => [entry.id, entry]));
  for (const clip of clips) {
    const used = clip.sources.map((source) => bySource.get(source)?.group).sort();
    assert.deepEqual([...new Set(used)], [...new Set([...clip.groups, ...clip.sceneryGroups])].sort(), clip.id);
  }
});

test('a pack is refused where a group, or equal data, is on both sides', async () => {
  const manifest = join(packDir, 'sources.json');
  const [first] = entries;
  const tested = entries.find(({ split, kind }) => split === 'test' && kind === 'audio');
  assert.ok(first && tested);
  const changed = async (change: Partial<SourceEntry>, refusal: RegExp) => {
    const text = JSON.stringify(entries.map((entry) => (entry === first ? { ...entry, ...change } : entry)));
    await writeFile(manifest, text);
    await assert.rejects(build('refused'), refusal);
  };
  try {
    await changed({ group: tested.group }, new RegExp(`group "${tested.group}" is in .* a group has one split`));
    await changed({ sha256: tested.sha256 }, /hold the same data; keep one/);
  } finally {
    await writeFile(manifest, JSON.stringify(entries));
  }
});

test('half of the clips move with their sound, and their manifest says which', () => {
  const sources = syntheticSources();
  let following = 0;
  let of = 0;
  for (const part of BUILT_PARTS) {
    for (let index = 0; index < 250; index++, of++) following += Number(sceneOf(sources, part, 1, index).followsSound);
    for (let index = 0; index < 12; index++) {
      const { scene, followsSound, kind } = sceneOf(sources, part, 1, index);
      const frames = (shown: typeof scene) => Buffer.from(renderScene(sources, shown, TRAINING_GEOMETRY).frames);
      const steady = frames(withMotion(scene, false)).equals(frames(scene));
      assert.equal(steady, !followsSound, clipId(part.name, index));
      if (kind === 'disagree') assert.ok(steady);
    }
  }
  assert.ok(Math.abs(following / of - 0.5) < 0.04, `${following} of ${of}`);
});

test('the reader gives what was composed; the card takes up the weaknesses of the pack', async () => {
  await build('at-once');
  const set = await openSet(join(folder, 'at-once'));
  const sources = await openSources(packDir, join(folder, 'cache'));
  const part = BUILT_PARTS[2];
  for await (const batch of set.mediaBatches({ split: 'test', stratum: 'unseen', batchSize: 10 })) {
    for (const [row, clip] of batch.clips.entries()) {
      const { scene } = sceneOf(sources, part, 1, batch.start + row);
      const { waveform, frames } = renderScene(sources, scene, TRAINING_GEOMETRY);
      assert.equal(clip.id, clipId(part.name, batch.start + row));
      assert.deepEqual(batch.waveform.subarray(row * waveform.length, (row + 1) * waveform.length), waveform);
      assert.deepEqual(batch.frames.subarray(row * frames.length, (row + 1) * frames.length), frames);
      assert.deepEqual(clip.groups, eventGroups(scene));
      assert.deepEqual(clip.sources, [...new Set(sceneSources(scene))]);
    }
  }
  const card = await readFile(join(folder, 'at-once/DATA-CARD.md'), 'utf8');
  assert.match(card, /- It is made up\.\n/);
  assert.doesNotMatch(card, /- none\n/);
  assert.match(card, /\| nobody \(made-up, CC0-1\.0\) \| 136 \| 12 \| 12 \| 12 \|/);
});

test('media files show the clips', async () => {
  await build('at-once', { media: 1, workers: 2 });
  const set = await openSet(join(folder, 'at-once'));
  for (const { name, split } of BUILT_PARTS) {
    const [clip] = set.clips({ split }).filter(({ id }) => id === clipId(name, 0));
    assert.ok(clip);
    const { waveform } = await set.readMedia([clip]);
    const [sound] = await decodeMedia(await readFile(join(folder, 'at-once/media', `${clip.id}.mp4`)), [
      { kind: 'waveform', sampleRateHz: 16_000, samples: 32_000 },
    ]);
    assert.ok(sound?.data instanceof Float32Array);
    const product = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, at) => sum + value * (b[at] ?? 0), 0);
    const alike =
      product(sound.data, waveform) / Math.sqrt(product(sound.data, sound.data) * product(waveform, waveform));
    assert.ok(alike > 0.95, `${name}: ${alike}`);
  }
});
