import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeMedia } from '../decode-media.ts';
import type { InputSpecification } from '../input-specification.ts';
import { type ClipLevels, encodeLevels } from './encode-levels.ts';
import { parseWriteForm } from './write-form.ts';

interface Shape {
  readonly sampleRateHz: number;
  readonly samples: number;
  readonly frameRateHz: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/** What the reference victims are given. */
const REFERENCE: Shape = {
  sampleRateHz: 16_000,
  samples: 32_000,
  frameRateHz: 4,
  frames: 8,
  height: 64,
  width: 64,
};

/** Levels over the whole grid that change from one to the next: nothing a lossy codec could keep. */
const noise = (length: number, low: number, count: number) =>
  Int32Array.from({ length }, (_, index) => low + (((index * 7919 + Math.imul(index, index) * 31) >>> 0) % count));

function noisyClip({ sampleRateHz, samples, frameRateHz, frames, height, width }: Shape) {
  return {
    sound: { levels: noise(samples, -32_768, 65_536), sampleRateHz },
    pictures: { levels: noise(frames * 3 * height * width, 0, 256), frameRateHz, height, width },
  } satisfies ClipLevels;
}

const specifications = (shape: Shape): InputSpecification[] => [
  { kind: 'waveform', ...shape },
  { kind: 'frames', ...shape },
];

const SHAPES: Readonly<Record<string, Shape>> = {
  'of the reference victims': REFERENCE,
  'with odd sides and odd rates': {
    sampleRateHz: 22_050,
    samples: 11_111,
    frameRateHz: Math.fround(29.97),
    frames: 15,
    height: 33,
    width: 17,
  },
  'of one picture and little sound': {
    sampleRateHz: 48_000,
    samples: 100,
    frameRateHz: 1,
    frames: 1,
    height: 2,
    width: 5,
  },
};

describe('encodeLevels', () => {
  for (const [name, shape] of Object.entries(SHAPES)) {
    it(`gives every level of a clip ${name} back from a lossless file, bit for bit`, async () => {
      const clip = noisyClip(shape);
      const { bytes, container } = await encodeLevels(clip, parseWriteForm('lossless'));
      assert.equal(container, 'mkv');
      const [sound, pictures] = await decodeMedia(bytes, specifications(shape));
      assert.deepEqual(
        sound?.data,
        Float32Array.from(clip.sound.levels, (level) => level / 32_768),
      );
      assert.deepEqual(pictures?.data, Uint8Array.from(clip.pictures.levels));
    });
  }

  it('gives equal bytes for equal levels, and less of a file at a lower bit rate', async () => {
    const size = async (form: string) => (await encodeLevels(noisyClip(REFERENCE), parseWriteForm(form))).bytes.length;
    const clip = () => encodeLevels(noisyClip(REFERENCE), parseWriteForm('h264:60k,aac:24k'));
    assert.deepEqual(await clip(), await clip());
    assert.ok((await size('h264:60k,aac:24k')) < (await size('h264:600k,aac:64k')));
    assert.ok((await size('vp9:60k,opus:12k')) < (await size('vp9:600k,opus:64k')));
  });

  it('keeps the time line of lossy files: a click is heard, and a change is seen, where it was', async () => {
    const clip = {
      sound: { levels: new Int32Array(REFERENCE.samples), sampleRateHz: REFERENCE.sampleRateHz },
      pictures: { levels: new Int32Array(8 * 3 * 64 * 64), frameRateHz: 4, height: 64, width: 64 },
    };
    clip.sound.levels.fill(20_000, 15_990, 16_010);
    clip.pictures.levels.fill(200, 4 * 3 * 64 * 64);
    for (const form of ['h264:200k,aac:64k', 'vp9:200k,opus:64k', 'vp8:200k,mp3:64k']) {
      const { bytes } = await encodeLevels(clip, parseWriteForm(form));
      const [sound, pictures] = await decodeMedia(bytes, specifications(REFERENCE));
      const heard = [...(sound?.data ?? [])].map(Math.abs);
      const loudest = heard.indexOf(Math.max(...heard));
      assert.ok(Math.abs(loudest - 16_000) < 160, `${form}: the click is at sample ${loudest}`);
      const levels = Array.from({ length: 8 }, (_, frame) => pictures?.data[(frame * 3 + 1) * 64 * 64 + 2000] ?? -1);
      assert.deepEqual(
        levels.map((level) => level > 100),
        [false, false, false, false, true, true, true, true],
        `${form}: ${levels}`,
      );
    }
  });

  it('writes a clip without pictures or without sound', async () => {
    const { sound, pictures } = noisyClip(REFERENCE);
    const heard = await encodeLevels({ sound, pictures: undefined }, parseWriteForm('h264:60k,opus:24k'));
    assert.equal(heard.container, 'webm');
    await assert.rejects(decodeMedia(heard.bytes, specifications(REFERENCE)), { reason: 'no_video' });
    const seen = await encodeLevels({ sound: undefined, pictures }, parseWriteForm('h264:60k,aac:24k'));
    await assert.rejects(decodeMedia(seen.bytes, specifications(REFERENCE)), { reason: 'no_audio' });
  });

  it('refuses what makes no clip, or what a form cannot hold', async () => {
    const form = parseWriteForm('h264:60k,opus:24k');
    const { sound, pictures } = noisyClip(REFERENCE);
    const refused: readonly [ClipLevels, RegExp][] = [
      [{ sound: undefined, pictures: undefined }, /pictures or sound/],
      [{ sound: { ...sound, levels: new Int32Array(0) }, pictures }, /at least one sample/],
      [{ sound, pictures: { ...pictures, height: 60 } }, /multiple of 11520 values, but got 98304/],
      [{ sound: { ...sound, sampleRateHz: 44_100 }, pictures }, /opus takes.*not 44100/],
    ];
    for (const [clip, message] of refused) {
      await assert.rejects(encodeLevels(clip, form), { reason: 'bad_specification', message });
    }
  });
});
