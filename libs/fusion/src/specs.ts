/** A mono waveform, `[batch, samples]`, amplitude in [-1, 1]. */
export interface WaveformInput {
  readonly sampleRateHz: number;
  readonly samples: number;
}

/** Video frames, `[batch, frames, 3, height, width]`, RGB in [0, 1]. */
export interface FramesInput {
  readonly frameRateHz: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/** One block: convolution, batch normalisation, Relu. Sizes are [first, second] spatial axis. */
export interface ConvolutionSpec {
  readonly channels: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
}

/**
 * The first layer on pictures (tubelets, Arnab et al., 2021): `frames` consecutive frames make a moment, and each square of
 * it, `side` pixels wide, becomes one point of a map.
 */
export interface PatchSpec {
  readonly frames: number;
  readonly side: number;
  readonly channels: number;
}

/** The log-mel front end: short power spectra at one or more resolutions, gathered into bands. */
export interface FrontEndSpec {
  /** Samples of one time step; divides the waveform. */
  readonly stepSamples: number;
  readonly bands: number;
  /** Each window length divides `stepSamples`; its bins are the multiples of sampleRate / window from `fromHz` to `toHz`. */
  readonly resolutions: readonly { readonly windowSamples: number; readonly fromHz: number; readonly toHz: number }[];
}

/** What all variants share. */
export interface Inputs {
  readonly waveform: WaveformInput;
  readonly frames: FramesInput;
  readonly frontEnd: FrontEndSpec;
  readonly patches: PatchSpec;
  readonly labels: number;
  /** Width of the embeddings and of the layer before the head. */
  readonly embedding: number;
}

/** The modalities meet at the input: picture patches and the log-mel of the same moment are channels of one map. */
export interface EarlySpec extends Inputs {
  readonly fusion: 'early';
  readonly joint: readonly ConvolutionSpec[];
  readonly temporal: readonly ConvolutionSpec[];
}

/** Branch features of the same moment are concatenated; temporal layers follow. */
export interface MidSpec extends Inputs {
  readonly fusion: 'mid';
  readonly audio: readonly ConvolutionSpec[];
  readonly video: readonly ConvolutionSpec[];
  readonly temporal: readonly ConvolutionSpec[];
}

/** Two full branches; their embeddings meet as a learnt weighted sum. */
export interface LateSpec extends Inputs {
  readonly fusion: 'late';
  readonly audio: readonly ConvolutionSpec[];
  readonly video: readonly ConvolutionSpec[];
}

export type VictimSpec = EarlySpec | MidSpec | LateSpec;

const conv = (channels: number, stride: 1 | 2): ConvolutionSpec => ({
  channels,
  kernel: [3, 3],
  stride: [stride, stride],
});
const overTime = (channels: number): ConvolutionSpec => ({ channels, kernel: [3, 1], stride: [1, 1] });

const INPUTS: Inputs = {
  waveform: { sampleRateHz: 16_000, samples: 32_000 },
  frames: { frameRateHz: 4, frames: 8, height: 64, width: 64 },
  frontEnd: {
    // 15.6 ms: 128 steps, so that halvings stay in step with the video frames.
    stepSamples: 250,
    bands: 32,
    // Fine in frequency where pitch lies, fine in time above.
    resolutions: [
      { windowSamples: 250, fromHz: 64, toHz: 1600 },
      { windowSamples: 125, fromHz: 1664, toHz: 3968 },
      { windowSamples: 50, fromHz: 4160, toHz: 7680 },
    ],
  },
  patches: { frames: 2, side: 4, channels: 24 },
  labels: 12,
  embedding: 96,
};

const AUDIO = [conv(16, 2), conv(32, 2), conv(40, 2), conv(48, 1), conv(80, 2)];
const VIDEO = [conv(40, 2), conv(64, 2), conv(96, 2)];

/** The reference victims. */
export const VICTIM_SPECS = {
  early: {
    ...INPUTS,
    fusion: 'early',
    patches: { frames: 2, side: 4, channels: 32 },
    joint: [conv(48, 2), conv(80, 2), conv(112, 2)],
    temporal: [overTime(96), overTime(96)],
  },
  mid: { ...INPUTS, fusion: 'mid', audio: AUDIO, video: VIDEO, temporal: [overTime(96), overTime(96)] },
  late: { ...INPUTS, fusion: 'late', audio: AUDIO, video: VIDEO },
} as const satisfies Record<string, VictimSpec>;

export type VictimName = keyof typeof VICTIM_SPECS;

/** The names of the reference victims. */
export const VICTIM_NAMES = Object.keys(VICTIM_SPECS) as readonly VictimName[];
