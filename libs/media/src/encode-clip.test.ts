import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { encodeClip } from './encode-clip.ts';
import { encodeTestClip } from './test-clip.ts';

const SMALL = {
  waveform: new Float32Array(2000),
  sampleRateHz: 16_000,
  frames: new Uint8Array(2 * 16 * 16 * 3),
  frameRateHz: 8,
  width: 16,
  height: 16,
};

describe('encodeClip', () => {
  it('gives equal bytes for equal clips', async () => {
    assert.deepEqual(await encodeTestClip(), await encodeTestClip());
  });

  it('writes an mp4 file without a date', async () => {
    const mp4 = Buffer.from(await encodeClip(SMALL));
    assert.equal(mp4.toString('latin1', 4, 8), 'ftyp');
    const movieHeader = mp4.indexOf('mvhd') + 4;
    assert.equal(mp4.readUInt32BE(movieHeader + 4), 0, 'creation time');
    assert.equal(mp4.readUInt32BE(movieHeader + 8), 0, 'modification time');
  });

  const refused = {
    'an odd width': [{ width: 15 }, /width must be even.*15/],
    'frames that do not fill pictures': [{ frames: new Uint8Array(100) }, /multiple of 768 bytes.*100/],
    'no frames': [{ frames: new Uint8Array(0) }, /multiple of 768 bytes/],
    'no sound': [{ waveform: new Float32Array(0) }, /waveform must hold at least one sample/],
    'a frame rate of 0': [{ frameRateHz: 0 }, /frameRateHz.*0/],
  } as const;
  for (const [what, [change, message]] of Object.entries(refused)) {
    it(`refuses ${what}`, async () => {
      await assert.rejects(encodeClip({ ...SMALL, ...change }), { reason: 'bad_specification', message });
    });
  }
});
