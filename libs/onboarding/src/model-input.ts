import type { ValueInfo } from '@faultline/onnx';
import type { LogMelParameters } from './log-mel.ts';

/** A waveform as the model takes it. */
export interface WaveformInput {
  readonly role: 'waveform';
  readonly sampleRateHz: number;
  readonly samples: number;
  readonly layout: string;
  /** Value of full scale: 1, or 32768 for models that want 16-bit levels. */
  readonly fullScale: number;
}

/** A log-mel spectrogram, made of a waveform by the front end. */
export interface LogMelInput {
  readonly role: 'log-mel';
  readonly samples: number;
  readonly steps: number;
  readonly layout: string;
  readonly parameters: LogMelParameters;
}

export const COLOURS = ['rgb', 'bgr', 'gray'] as const;

/** Pictures. */
export interface FramesInput {
  readonly role: 'frames';
  readonly frames: number;
  readonly frameRateHz: number;
  readonly height: number;
  readonly width: number;
  readonly layout: string;
  readonly colour: (typeof COLOURS)[number];
  /** What black and white are before normalisation. */
  readonly black: number;
  readonly white: number;
  /** Of each channel, or one for all: (value - mean) / std. */
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** A value that no media changes: a state at its start, a sample rate, a length. */
export interface ConstantInput {
  readonly role: 'constant';
  readonly values: readonly number[];
  /** Sizes; undefined for the batch. */
  readonly sizes: readonly (number | undefined)[];
}

/** What an input of a model is made of. */
export type InputRole = WaveformInput | LogMelInput | FramesInput | ConstantInput;

/** An input of the model and what it is made of. */
export interface ModelInput {
  readonly info: ValueInfo;
  readonly role: InputRole;
}
