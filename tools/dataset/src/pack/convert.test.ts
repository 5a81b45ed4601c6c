import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeAudioFile, encodeWav } from '@faultline/media';
import sharp from 'sharp';
import { loudest, packPicture, packSound } from './convert.ts';
import { distance, fingerprint } from './fingerprint.ts';
import { randomNotes } from './midi.ts';

test('sounds become mono at 16 kHz, cut to their loudest eight seconds', async () => {
  const waveform = new Float32Array(10 * 44_100).fill(0.01);
  waveform.fill(0.5, 9 * 44_100);
  const made = await decodeAudioFile(await packSound(encodeWav(waveform, 44_100)));
  assert.equal(made.length, 128_000);
  assert.ok((made.at(-100) ?? 0) > 0.45 && (made[0] ?? 1) < 0.02);
  const short = new Float32Array(100);
  assert.equal(loudest(short), short);
});

const drawing = (side: number) =>
  Buffer.from(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${side}" height="${side}" viewBox="0 0 20 20"><rect x="5" y="5" width="10" height="5" fill="red"/></svg>`,
  );

test('pictures are cropped to what is visible; drawings are rasterised to the side first, whatever their own size', async () => {
  for (const side of [20, 900]) {
    const { width, height } = await sharp(await packPicture(drawing(side), 'image')).metadata();
    assert.deepEqual([width, height], [128, 64], `${side}`);
  }
  const photo = await sharp({ create: { width: 800, height: 400, channels: 3, background: 'blue' } })
    .png()
    .toBuffer();
  const { width, height } = await sharp(await packPicture(photo, 'background')).metadata();
  assert.deepEqual([width, height], [320, 160]);
  const empty = await sharp({ create: { width: 8, height: 8, channels: 4, background: '#0000' } })
    .png()
    .toBuffer();
  await assert.rejects(packPicture(empty, 'image'), /wholly transparent/);
});

test('fingerprints are alike for one source in two codings, and not for two sources', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-fingerprint-'));
  try {
    const noise = (seed: number) =>
      Float32Array.from({ length: 16_000 }, (_, at) => 0.4 * Math.sin(at * at * seed) * Math.sin(at / (300 * seed)));
    const of = async (name: string, content: Uint8Array, kind: 'audio' | 'image') => {
      await writeFile(join(folder, name), content);
      return fingerprint(join(folder, name), kind);
    };
    const sound = await of('a.wav', encodeWav(noise(1.1), 16_000), 'audio');
    const quieter = await of(
      'b.wav',
      encodeWav(
        noise(1.1).map((value) => value / 2),
        16_000,
      ),
      'audio',
    );
    assert.ok(distance(sound, quieter) <= 4, `${distance(sound, quieter)}`);
    assert.ok(distance(sound, await of('c.wav', encodeWav(noise(1.7), 16_000), 'audio')) > 16);
    const picture = await of('a.webp', await packPicture(drawing(20), 'image'), 'image');
    assert.equal(distance(picture, picture), 0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('random notes are a MIDI file that their seed decides, drums on their channel', () => {
  const notes = (seed: string, drums = false) => randomNotes({ seed, program: 24, drums }, 4);
  assert.deepEqual(notes('a'), notes('a'));
  assert.notDeepEqual(notes('a'), notes('b'));
  const file = notes('a');
  assert.equal(file.toString('latin1', 0, 4), 'MThd');
  assert.equal(file.readUInt32BE(18), file.length - 22);
  assert.deepEqual([...file.subarray(22, 25)], [0, 0xc0, 24]);
  assert.deepEqual([...notes('a', true).subarray(22, 25)], [0, 0xc9, 24]);
  assert.deepEqual([...file.subarray(-3)], [0xff, 0x2f, 0]);
});
