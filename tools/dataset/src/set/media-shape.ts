/** What a clip of media becomes in a set. */
export interface MediaShape {
  readonly sampleRateHz: number;
  readonly samples: number;
  readonly frameRateHz: number;
  readonly frames: number;
  readonly height: number;
  readonly width: number;
}

/** The reference victims' inputs: 2 s of sound, 8 pictures. */
export const MEDIA_SHAPE: MediaShape = {
  sampleRateHz: 16_000,
  samples: 32_000,
  frameRateHz: 4,
  frames: 8,
  height: 64,
  width: 64,
};
