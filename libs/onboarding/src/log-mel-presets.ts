import type { LogMelParameters } from './log-mel.ts';

type Preset = Omit<LogMelParameters, 'sampleRateHz' | 'highHz'> & Partial<LogMelParameters>;

const PLAIN = { preemphasis: 0, removeMean: 'none', mean: 0, std: 1 } as const;

const LIBROSA: Preset = {
  ...PLAIN,
  fft: 2048,
  window: 2048,
  windowShape: 'hann',
  hop: 512,
  padding: 'reflect',
  power: 2,
  bands: 128,
  lowHz: 0,
  scale: 'slaney',
  triangles: 'hz',
  bandNorm: 'slaney',
  logarithm: 'db',
  floor: 1e-10,
  floorMode: 'clamp',
};

/** Front ends as their authors' code computes them. Those without a highest frequency go up to half the sample rate. */
export const LOG_MEL_PRESETS = {
  /** librosa.feature.melspectrogram and power_to_db without top_db, at their defaults. */
  librosa: LIBROSA,
  /** torchaudio.transforms.MelSpectrogram at its defaults, then log(x + 1e-6). */
  torchaudio: {
    ...LIBROSA,
    fft: 400,
    window: 400,
    hop: 200,
    scale: 'htk',
    bandNorm: 'none',
    logarithm: 'ln',
    floor: 1e-6,
    floorMode: 'add',
  },
  /** CNN14 and its family (audioset_tagging_cnn). */
  panns: { ...LIBROSA, sampleRateHz: 32_000, fft: 1024, window: 1024, hop: 320, bands: 64, lowHz: 50, highHz: 14_000 },
  /** YAMNet (features.py of its authors). */
  yamnet: {
    ...PLAIN,
    sampleRateHz: 16_000,
    fft: 512,
    window: 400,
    windowShape: 'hann',
    hop: 160,
    padding: 'none',
    power: 1,
    bands: 64,
    lowHz: 125,
    highHz: 7500,
    scale: 'htk',
    triangles: 'mel',
    bandNorm: 'none',
    logarithm: 'ln',
    floor: 0.001,
    floorMode: 'add',
  },
  /** Audio Spectrogram Transformer: torchaudio.compliance.kaldi.fbank, then AudioSet's mean and twice its deviation. */
  ast: {
    sampleRateHz: 16_000,
    fft: 512,
    window: 400,
    windowShape: 'hann-symmetric',
    hop: 160,
    padding: 'none',
    power: 2,
    bands: 128,
    lowHz: 20,
    highHz: 8000,
    scale: 'htk',
    triangles: 'mel',
    bandNorm: 'none',
    logarithm: 'ln',
    floor: 1.1920929e-7,
    floorMode: 'clamp',
    preemphasis: 0.97,
    removeMean: 'window',
    mean: -4.2677393,
    std: 9.1379948,
  },
} as const satisfies Readonly<Record<string, Preset>>;

export type LogMelPreset = keyof typeof LOG_MEL_PRESETS;
