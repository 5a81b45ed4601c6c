import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Split, Stratum } from '../splits.ts';
import { finishSet } from './finish-set.ts';
import { checkGroupsApart } from './groups-apart.ts';
import { type MediaBatch, openSet } from './open-set.ts';
import type { SetClip, SetManifest } from './set-manifest.ts';
import { writeShard } from './shards.ts';

const SHAPE = { sampleRateHz: 16_000, samples: 4, frameRateHz: 1, frames: 2, height: 1, width: 1 };

function clipOf(at: number, split: Split, stratum: Stratum | null, group: string): SetClip {
  const [heard, seen] = at % 2 === 0 ? ['bird', 'dog'] : ['dog', 'dog'];
  const style = at % 3 === 0 ? 'photo' : 'drawing';
  return {
    id: `c${at}`,
    split,
    stratum,
    labels: [...new Set([heard, seen])],
    heard: [heard],
    seen: [seen],
    events:
      heard === seen
        ? [{ label: seen, groups: [group], styles: [style] }]
        : [
            { label: heard, groups: [group], styles: [] },
            { label: seen, groups: [group], styles: [style] },
          ],
    kind: at % 2 === 0 ? 'disagree' : 'single',
    followsSound: at % 2 !== 0,
    groups: [group],
    sceneryGroups: [`scenery of ${stratum === 'seen' ? 'train' : split}`],
    sources: [`s${at}`],
    styles: [style],
    licence: 'CC-BY-4.0',
    licenceFamilies: ['cc'],
    attribution: [`author ${at % 3}`],
    sha256: `${at}`,
    shard: `shard-${Math.floor(at / 4)}`,
    row: at % 4,
  };
}

const CLIPS = [
  ...[0, 1, 2, 3, 4].map((at) => clipOf(at, 'train', null, `g${at}`)),
  clipOf(5, 'validation', null, 'v'),
  clipOf(6, 'test', 'unseen', 'u'),
  clipOf(7, 'test', 'seen', 'g2'),
];

const manifestOf = (clips: readonly SetClip[]): SetManifest => ({
  name: 'small',
  kind: 'media',
  labels: ['bird', 'dog'],
  tensors: { waveform: [4], frames: [2, 3, 1, 1] },
  shape: SHAPE,
  seed: 1,
  clips,
  leftOut: [],
});

async function withSet(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-set-'));
  try {
    for (const [shard, clips] of Map.groupBy(CLIPS, (clip) => clip.shard)) {
      const made = clips.map(({ id, sha256 }) => ({
        id,
        sha256,
        tensors: {
          waveform: { dims: [4], data: new Float32Array(4).fill(Number(sha256) / 8) },
          frames: { dims: [2, 3, 1, 1], data: new Uint8Array(6).fill(Number(sha256)) },
        },
      }));
      await writeShard(folder, shard, made);
    }
    await finishSet(folder, manifestOf(CLIPS), ['It is small.']);
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('a part is read in order, in batches that cross shards, with targets of what is heard and what is seen', () =>
  withSet(async (folder) => {
    const set = await openSet(folder);
    const batches: MediaBatch[] = [];
    for await (const batch of set.mediaBatches({ split: 'train', batchSize: 3 })) batches.push(batch);
    assert.deepEqual(
      batches.map(({ start, size }) => [start, size]),
      [
        [0, 3],
        [3, 2],
      ],
    );
    const [first, last] = batches;
    assert.deepEqual([...(last?.waveform ?? [])], [...new Array(4).fill(3 / 8), ...new Array(4).fill(0.5)]);
    assert.deepEqual([...(last?.frames ?? [])], [...new Array(6).fill(3), ...new Array(6).fill(4)]);
    assert.deepEqual([...(first?.targets ?? [])], [1, 1, 0, 1, 1, 1]);
    assert.deepEqual([...(first?.audioTargets ?? [])], [1, 0, 0, 1, 1, 0]);
    assert.deepEqual([...(first?.visualTargets ?? [])], [0, 1, 0, 1, 0, 1]);
    assert.equal(set.clips({ split: 'test', stratum: 'seen' })[0]?.id, 'c7');
    assert.equal(set.clips({ split: 'test' }).length, 2);
  }));

test('any clips are read, in the order asked for', () =>
  withSet(async (folder) => {
    const set = await openSet(folder);
    const chosen = [6, 1, 4, 0].flatMap((at) => set.manifest.clips[at] ?? []);
    const { tensors } = await set.read(chosen);
    assert.deepEqual(
      [0, 4, 8, 12].map((at) => (tensors.waveform?.data[at] ?? 0) * 8),
      [6, 1, 4, 0],
    );
  }));

test('the card counts strata, kinds, motion, credits and styles', () =>
  withSet(async (folder) => {
    const card = await readFile(join(folder, 'DATA-CARD.md'), 'utf8');
    for (const line of [
      '| test, unseen | 1 | 1 |',
      '| disagree | 3 | 0 | 1 | 0 |',
      '| with the sound | 2 | 1 | 0 | 1 |',
      '| author 0 | 2 | 0 | 1 | 0 |',
      '| photo | 2 | 0 | 1 | 0 |',
      '| bird | 0 | 0 |',
      '| dog | 5 | 3 |',
      '- "bird" does not occur in validation and test, seen: its figures there are undefined.',
      '- It is small.',
    ]) {
      assert.ok(card.includes(`${line}\n`), line);
    }
  }));

test('a group of the test in training is refused by name, when a set is finished and when it is opened', () =>
  withSet(async (folder) => {
    const leaking = CLIPS.map((clip) => (clip.id === 'c6' ? { ...clip, groups: ['u', 'g3'] } : clip));
    const refusal = /group "g3" is in train \(clip "c3"\) and in test \(clip "c6"\)/;
    await assert.rejects(finishSet(folder, manifestOf(leaking), []), refusal);
    await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifestOf(leaking)));
    await assert.rejects(openSet(folder), refusal);
    const sceneryLeaks = CLIPS.map((clip) => (clip.id === 'c5' ? { ...clip, sceneryGroups: ['g0'] } : clip));
    assert.throws(() => checkGroupsApart(sceneryLeaks), /group "g0" is in train .* and in validation/);
    const seenOfTest = CLIPS.map((clip) => (clip.id === 'c7' ? { ...clip, groups: ['u'] } : clip));
    assert.throws(() => checkGroupsApart(seenOfTest), /group "u" is in test .* and in train/);
  }));

test('an unfinished set, and features where media are needed, are refused with a remedy', () =>
  withSet(async (folder) => {
    await writeFile(
      join(folder, 'manifest.json'),
      JSON.stringify({ ...manifestOf(CLIPS), tensors: { waveform: [4] } }),
    );
    const set = await openSet(folder);
    await assert.rejects(set.mediaBatches({ split: 'train', batchSize: 2 }).next(), /holds waveform; a set of media/);
    await rm(join(folder, 'manifest.json'));
    await assert.rejects(openSet(folder), /build or import a set into this folder first/);
  }));
