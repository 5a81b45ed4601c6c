import { requirePositiveInteger } from './media-error.ts';

const HEADER_BYTES = 44;
const PCM_FORMAT = 1;
const FLOAT_FORMAT = 3;
const PCM_BYTES = 2;
const FLOAT_BYTES = 4;
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
  const wav = emptyWav(PCM_FORMAT, PCM_BYTES, waveform.length, sampleRateHz);
  waveform.forEach((amplitude, index) => {
    const clipped = Math.max(-1, Math.min(1, amplitude)) || 0;
    wav.writeInt16LE(Math.round(clipped * FULL_SCALE), HEADER_BYTES + index * PCM_BYTES);
  });
  return wav;
}

/**
 * Writes a mono waveform as a 32-bit float WAV file, little-endian: every sample as it is.
 *
 * @param waveform amplitude, `[samples]`
 * @throws MediaError `bad_specification` when the sample rate is no positive integer.
 */
export function encodeFloatWav(waveform: Float32Array, sampleRateHz: number): Uint8Array {
  const wav = emptyWav(FLOAT_FORMAT, FLOAT_BYTES, waveform.length, sampleRateHz);
  waveform.forEach((amplitude, index) => {
    wav.writeFloatLE(amplitude, HEADER_BYTES + index * FLOAT_BYTES);
  });
  return wav;
}

/** A mono WAV file with its header and room for the samples. */
function emptyWav(format: number, sampleBytes: number, samples: number, sampleRateHz: number): Buffer {
  requirePositiveInteger('sampleRateHz', sampleRateHz);
  const dataBytes = samples * sampleBytes;
  const wav = Buffer.alloc(HEADER_BYTES + dataBytes);
  wav.write('RIFF', 0, 'latin1');
  wav.writeUInt32LE(HEADER_BYTES - 8 + dataBytes, 4);
  wav.write('WAVEfmt ', 8, 'latin1');
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(format, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(sampleRateHz, 24);
  wav.writeUInt32LE(sampleRateHz * sampleBytes, 28);
  wav.writeUInt16LE(sampleBytes, 32);
  wav.writeUInt16LE(sampleBytes * 8, 34);
  wav.write('data', 36, 'latin1');
  wav.writeUInt32LE(dataBytes, 40);
  return wav;
}
