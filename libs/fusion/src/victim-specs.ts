import type { ConvolutionSpec, Inputs, ReferenceSpec } from './specs.ts';

/** A 3 x 3 block. */
export const conv = (channels: number, stride: 1 | 2): ConvolutionSpec => ({
  channels,
  kernel: [3, 3],
  stride: [stride, stride],
});
/** A block over three steps of time. */
export const overTime = (channels: number): ConvolutionSpec => ({ channels, kernel: [3, 1], stride: [1, 1] });

/** A 3 x 3 block that halves the bands and keeps the steps of time. */
export const overFrequency = (channels: number): ConvolutionSpec => ({ channels, kernel: [3, 3], stride: [1, 2] });

/** Inputs of all victims at the laptop size. */
export const INPUTS: Inputs = {
  waveform: { sampleRateHz: 16_000, samples: 32_000 },
  frames: { frameRateHz: 4, frames: 8, height: 64, width: 64 },
  frontEnd: {
    // 15.6 ms: 128 steps, so that halvings stay in step with the video frames.
    stepSamples: 250,
    bands: 64,
    // Fine in frequency where pitch lies, fine in time above.
    resolutions: [
      { windowSamples: 500, fromHz: 64, toHz: 960 },
      { windowSamples: 250, fromHz: 1024, toHz: 3968 },
      { windowSamples: 125, fromHz: 4096, toHz: 7680 },
    ],
  },
  patches: { frames: 2, side: 4, channels: 24 },
  labels: 12,
  embedding: 96,
};

/** The reference branches: 16 steps x 2 bands, and 4 x 4 points a moment. */
export const AUDIO: readonly ConvolutionSpec[] = [
  conv(16, 2),
  conv(32, 2),
  overFrequency(48),
  conv(64, 2),
  overFrequency(96),
];
export const VIDEO: readonly ConvolutionSpec[] = [conv(40, 2), conv(56, 1), conv(80, 2), conv(112, 1)];

/** The reference victims. */
export const VICTIM_SPECS = {
  early: {
    ...INPUTS,
    fusion: 'early',
    patches: { frames: 2, side: 4, channels: 32 },
    joint: [conv(48, 2), conv(64, 1), conv(80, 2), conv(112, 2)],
    temporal: [overTime(96), overTime(96)],
  },
  mid: { ...INPUTS, fusion: 'mid', audio: AUDIO, video: VIDEO, temporal: [overTime(96), overTime(96)] },
  late: { ...INPUTS, fusion: 'late', audio: AUDIO, video: VIDEO },
} as const satisfies Record<string, ReferenceSpec>;

export type VictimName = keyof typeof VICTIM_SPECS;

/** The names of the reference victims. */
export const VICTIM_NAMES = Object.keys(VICTIM_SPECS) as readonly VictimName[];
