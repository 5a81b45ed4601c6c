import type { MediaSpec } from './designs.ts';

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
  /** Maximum over windows of this size, side by side, after the block. */
  readonly pool?: readonly [number, number];
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
  /** Each window length divides `stepSamples`, or is twice as long: then it reaches into the next step. Its bins are the multiples of sampleRate / window from `fromHz` to `toHz`. */
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

/** Where the modalities meet, or the only one there is. */
export type FusionVariant = 'audio' | 'visual' | 'early' | 'mid' | 'late' | 'decision';

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

/** The form of the reference victims. */
export type ReferenceSpec = EarlySpec | MidSpec | LateSpec;

/** A victim of waveform and frames. */
export type VictimSpec = ReferenceSpec | MediaSpec;
