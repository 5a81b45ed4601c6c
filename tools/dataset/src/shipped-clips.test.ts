import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeMedia } from '@faultline/media';
import { attributionPage } from './attribution-page.ts';
import type { ClipSet } from './clip-set.ts';
import { LABELS } from './labels.ts';
import type { Split } from './splits.ts';

/** Checks on the clips in the repository: they need no source pack. */
const CLIPS_DIR = join(import.meta.dirname, '../../../zoo/clips');
const HEADLINE_CLIPS = 48;
const MAX_TOTAL_BYTES = 8e6;
const FIRST_EDITION_CLIPS = 120;
/** Of the ids and digests of the first edition, which are promised not to change. */
const FIRST_EDITION_SHA256 = '36a7692a47bee1e1b7cce8b9af64d3e95a1536a7228439a5f156b38410b4debe';
const CLIP_FILE = /\.(mp4|webm)$/;
const FREE_LICENCE = /^(CC-BY-SA-[234]\.0|CC-BY-[34]\.0|CC0-1\.0|public-domain|MIT|Apache-2\.0)$/;

const read = (file: string): Promise<Buffer> => readFile(join(CLIPS_DIR, file));
const set: ClipSet = JSON.parse(String(await read('manifest.json')));
const splits: Record<Split, string[]> = JSON.parse(String(await read('splits.json')));
const unseen = set.clips.filter(({ stratum }) => stratum === 'unseen');

test('the manifest and the files agree', async () => {
  const files = (await readdir(CLIPS_DIR)).filter((file) => CLIP_FILE.test(file));
  assert.deepEqual(files.sort(), set.clips.map(({ file }) => file).sort());
  let total = 0;
  for (const { file, sha256 } of set.clips) {
    const bytes = await read(file);
    total += bytes.length;
    assert.equal(createHash('sha256').update(bytes).digest('hex'), sha256, file);
  }
  assert.ok(total <= MAX_TOTAL_BYTES, `${total} bytes`);
});

test('the first edition is what it was, in its place', () => {
  const first = set.clips.slice(0, FIRST_EDITION_CLIPS).map(({ id, sha256 }) => `${id} ${sha256}\n`);
  assert.equal(createHash('sha256').update(first.join('')).digest('hex'), FIRST_EDITION_SHA256);
});

test('ids are unique, and about a fifth of the clips is WebM, VP8 and VP9 alike', async () => {
  assert.equal(new Set(set.clips.map(({ id }) => id)).size, set.clips.length);
  const webm = set.clips.filter(({ file }) => file.endsWith('.webm'));
  assert.ok(webm.length >= 40, `${webm.length}`);
  const codecs = await Promise.all(
    webm.map(async ({ file }) => /V_VP[89]/.exec(String((await read(file)).toString('latin1')))?.[0]),
  );
  assert.equal(codecs.filter((codec) => codec === 'V_VP8').length, webm.length / 2);
  assert.equal(codecs.filter((codec) => codec === 'V_VP9').length, webm.length / 2);
});

test('no group is in two splits', () => {
  const all = [...splits.train, ...splits.validation, ...splits.test];
  assert.equal(new Set(all).size, all.length);
});

test('unseen clips use test groups only, seen clips training groups only', () => {
  const allowed = { unseen: new Set(splits.test), seen: new Set(splits.train) };
  for (const { id, stratum, groups } of set.clips) {
    assert.ok(groups.length > 0, id);
    for (const group of groups) assert.ok(allowed[stratum].has(group), `${id}: ${group}`);
  }
});

test('every source of every clip has a free licence, and share-alike is passed on', () => {
  for (const { id, licence, attribution } of set.clips) {
    assert.ok(attribution.length >= 3, id);
    for (const credit of attribution) {
      assert.match(credit.licence, FREE_LICENCE, `${id}: ${credit.source}`);
      assert.ok(credit.author.length > 0 && credit.title.length > 0, `${id}: ${credit.source}`);
    }
    const shareAlike = attribution.some((credit) => credit.licence.startsWith('CC-BY-SA'));
    assert.equal(licence, shareAlike ? 'CC-BY-SA-4.0' : 'CC-BY-4.0', id);
  }
});

test('ATTRIBUTION.md is that of the manifest', async () => {
  assert.equal(String(await read('ATTRIBUTION.md')), attributionPage(set));
});

test('labels are those heard or seen, and agree means that they are the same', () => {
  for (const { id, labels, audioLabels, visualLabels, agree } of set.clips) {
    const union = LABELS.filter((label) => audioLabels.includes(label) || visualLabels.includes(label));
    assert.deepEqual(labels, union, id);
    assert.equal(agree, audioLabels.join() === visualLabels.join(), id);
    assert.ok(audioLabels.length > 0 && visualLabels.length > 0, id);
  }
});

test('every label has positives enough, in all unseen clips and in the first 48', () => {
  const headline = set.clips.slice(0, HEADLINE_CLIPS);
  assert.ok(headline.every(({ stratum }) => stratum === 'unseen'));
  assert.ok(headline.filter(({ agree }) => !agree).length >= 5);
  for (const label of LABELS) {
    assert.ok(unseen.filter(({ labels }) => labels.includes(label)).length >= 8, label);
    assert.ok(headline.filter(({ labels }) => labels.includes(label)).length >= 4, label);
  }
});

test('every clip decodes to sound and moving pictures', async () => {
  for (const { file } of set.clips) {
    const [waveform, frames] = await decodeMedia(await read(file), [
      { kind: 'waveform', sampleRateHz: set.sampleRateHz, samples: 32_000 },
      { kind: 'frames', frameRateHz: 4, frames: 8, height: 64, width: 64 },
    ]);
    assert.ok(waveform && frames);
    let power = 0;
    for (const value of waveform.data) power += (value * value) / waveform.data.length;
    assert.ok(power > 1e-5, `${file} is nearly silent: power ${power}`);
    const frameBytes = 3 * 64 * 64;
    assert.notDeepEqual(frames.data.subarray(0, frameBytes), frames.data.subarray(-frameBytes), file);
  }
});
