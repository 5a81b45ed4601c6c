import { requirePositive, requirePositiveInteger } from './media-error.ts';

/** Asks for mono sound: float32 `[samples]`, amplitude in [-1, 1]. */
export interface WaveformSpecification {
  readonly kind: 'waveform';
  readonly sampleRateHz: number;
  /** Shorter media is padded with zeros at the end, longer media is cut. */
  readonly samples: number;
}

/** Asks for pictures: uint8 `[frames, 3, height, width]`, RGB. */
export interface FramesSpecification {
  readonly kind: 'frames';
  readonly frameRateHz: number;
  /** Shorter media repeats its last picture, longer media is cut. */
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/** One input to extract from a media file. */
export type InputSpecification = WaveformSpecification | FramesSpecification;

/** Time from the media's beginning until which an input needs it. */
export function neededSeconds(specification: InputSpecification): number {
  return specification.kind === 'waveform'
    ? specification.samples / specification.sampleRateHz
    : specification.frames / specification.frameRateHz;
}

/** @throws MediaError `bad_specification` naming the field that makes no sense. */
export function validateSpecification(specification: InputSpecification): void {
  if (specification.kind === 'waveform') {
    requirePositiveInteger('sampleRateHz', specification.sampleRateHz);
    requirePositiveInteger('samples', specification.samples);
    return;
  }
  requirePositive('frameRateHz', specification.frameRateHz);
  requirePositiveInteger('frames', specification.frames);
  requirePositiveInteger('height', specification.height);
  requirePositiveInteger('width', specification.width);
}
