import { encodeWav } from '@faultline/media';

// SoundFont 2.04: a RIFF file whose list `sdta` holds all samples, and whose `pdta` says where each begins and how fast it is.

const CHUNK_HEAD_BYTES = 8;
const SAMPLE_HEADER_BYTES = 46;
const NAME_BYTES = 20;
const INT16_SCALE = 1 / 32_768;

/** Chunks of a RIFF file by their names, those inside lists included. */
function chunks(bytes: Buffer, from: number, to: number): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let at = from; at + CHUNK_HEAD_BYTES <= to; ) {
    const name = bytes.toString('latin1', at, at + 4);
    const length = bytes.readUInt32LE(at + 4);
    const start = at + CHUNK_HEAD_BYTES;
    if (name === 'RIFF' || name === 'LIST') {
      for (const [inner, content] of chunks(bytes, start + 4, start + length)) found.set(inner, content);
    } else found.set(name, bytes.subarray(start, start + length));
    at = start + length + (length % 2);
  }
  return found;
}

/** One sample of a sound font as a WAV file, without loops and envelopes. @throws Error when it holds no such sample. */
export function readSoundFontSample(font: Buffer, name: string): Uint8Array {
  const parts = chunks(font, 0, font.length);
  const [headers, samples] = [parts.get('shdr'), parts.get('smpl')];
  if (headers === undefined || samples === undefined) throw new Error('this is no sound font');
  for (let at = 0; at + SAMPLE_HEADER_BYTES <= headers.length; at += SAMPLE_HEADER_BYTES) {
    const [own = ''] = headers.toString('latin1', at, at + NAME_BYTES).split('\0');
    if (own.trim() !== name) continue;
    const [first, end] = [headers.readUInt32LE(at + NAME_BYTES), headers.readUInt32LE(at + NAME_BYTES + 4)];
    const waveform = Float32Array.from(
      { length: end - first },
      (_, index) => samples.readInt16LE(2 * (first + index)) * INT16_SCALE,
    );
    return encodeWav(waveform, headers.readUInt32LE(at + NAME_BYTES + 16));
  }
  throw new Error(`the sound font holds no sample "${name}"`);
}
