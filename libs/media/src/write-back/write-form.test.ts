import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { containerOf, parseWriteForm, writeProblem } from './write-form.ts';

const CLIP = { pictures: { height: 64, width: 64 }, sampleRateHz: 16_000 };

describe('parseWriteForm', () => {
  it('reads codecs and bit rates in any order, into one spelling', () => {
    assert.deepEqual(parseWriteForm('aac:24000, h264:0.5M'), {
      name: 'h264:500k,aac:24k',
      pictures: { codec: 'h264', bitRate: 500_000 },
      sound: { codec: 'aac', bitRate: 24_000 },
    });
    assert.equal(parseWriteForm('opus:6500').name, 'opus:6500');
  });

  it('writes without losses what is not named', () => {
    const lossless = { pictures: { codec: 'ffv1', bitRate: undefined }, sound: { codec: 'flac', bitRate: undefined } };
    assert.deepEqual(parseWriteForm('lossless'), { name: 'lossless', ...lossless });
    assert.deepEqual(parseWriteForm('flac,ffv1'), { name: 'lossless', ...lossless });
    assert.deepEqual(parseWriteForm('vp9:60k').sound, lossless.sound);
  });

  const refused = {
    '': /'' is no codec.*give lossless.*h264:60k,aac:24k/,
    'h263:60k': /'h263' is no codec/,
    constructor: /'constructor' is no codec/,
    h264: /h264 has the bit rate ''.*h264:48k/,
    'aac:fast': /aac has the bit rate 'fast'/,
    'aac:24k:2': /aac has the bit rate '24k:2'/,
    'opus:10': /opus has the bit rate '10'; give bits per second from 1k/,
    'flac:24k': /flac is lossless and takes no bit rate, but '24k'/,
    'aac:24k,mp3:24k': /names two codecs for sound/,
    'h264:24k,vp9:24k': /names two codecs for pictures/,
  };
  for (const [text, message] of Object.entries(refused)) {
    it(`refuses '${text}'`, () => {
      assert.throws(() => parseWriteForm(text), { name: 'MediaError', reason: 'bad_specification', message });
    });
  }
});

describe('writeProblem', () => {
  it('names what a codec cannot take, with a remedy', () => {
    assert.equal(writeProblem(CLIP, parseWriteForm('h264:60k,opus:24k')), undefined);
    const odd = { pictures: { height: 64, width: 63 }, sampleRateHz: 44_100 };
    assert.match(
      writeProblem(odd, parseWriteForm('h264:60k')) ?? '',
      /even sides, not 63 x 64; write pictures as ffv1/,
    );
    assert.match(
      writeProblem(odd, parseWriteForm('opus:24k')) ?? '',
      /opus takes 8000.*not 44100 Hz; write sound as flac/,
    );
    assert.equal(writeProblem(odd, parseWriteForm('aac:24k')), undefined);
    assert.equal(writeProblem({ ...odd, sampleRateHz: undefined }, parseWriteForm('opus:24k')), undefined);
  });
});

describe('containerOf', () => {
  it('takes the first container that holds both', () => {
    const form = (text: string) => containerOf(CLIP, parseWriteForm(text));
    assert.deepEqual(['lossless', 'h264:60k,aac:24k', 'vp9:60k,opus:24k', 'h264:60k,opus:24k', 'h264:60k'].map(form), [
      'mkv',
      'mp4',
      'webm',
      'mkv',
      'mkv',
    ]);
    assert.equal(containerOf({ ...CLIP, pictures: undefined }, parseWriteForm('opus:24k')), 'webm');
  });
});
