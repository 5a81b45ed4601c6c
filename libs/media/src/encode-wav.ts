import { requirePositiveInteger } from './media-error.ts';

const HEADER_BYTES = 44;
const BYTES_PER_SAMPLE = 2;
const PCM_FORMAT = 1;
const FULL_SCALE = 32767;

/**
 * Writes a mono waveform as a 16-bit PCM WAV file, little-endian.
 *
 * Values outside [-1, 1] are clipped; 1 becomes 32767 and -1 becomes -32767.
 *
 * @param waveform amplitude in [-1, 1], `[samples]`
 * @throws MediaError `bad_specification` when the sample rate is no positive integer.
 */
export function encodeWav(waveform: Float32Array, sampleRateHz: number): Uint8Array {
  requirePositiveInteger('sampleRateHz', sampleRateHz);
  const dataBytes = waveform.length * BYTES_PER_SAMPLE;
  const wav = Buffer.alloc(HEADER_BYTES + dataBytes);
  wav.write('RIFF', 0, 'latin1');
  wav.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  wav.write('WAVEfmt ', 8, 'latin1');
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(PCM_FORMAT, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(sampleRateHz, 24);
  wav.writeUInt32LE(sampleRateHz * BYTES_PER_SAMPLE, 28);
  wav.writeUInt16LE(BYTES_PER_SAMPLE, 32);
  wav.writeUInt16LE(BYTES_PER_SAMPLE * 8, 34);
  wav.write('data', 36, 'latin1');
  wav.writeUInt32LE(dataBytes, 40);
  waveform.forEach((amplitude, index) => {
    const clipped = Math.max(-1, Math.min(1, amplitude)) || 0;
    wav.writeInt16LE(Math.round(clipped * FULL_SCALE), HEADER_BYTES + index * BYTES_PER_SAMPLE);
  });
  return wav;
}
