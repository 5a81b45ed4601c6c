export { type DecodedInput, decodeAudioFile, decodeMedia, type Media } from './decode-media.ts';
export { type Clip, type ClipForm, encodeClip } from './encode-clip.ts';
export { encodePng, type Picture } from './encode-png.ts';
export { encodeFloatWav, encodeWav } from './encode-wav.ts';
export type { FramesSpecification, InputSpecification, WaveformSpecification } from './input-specification.ts';
export { MediaError, type MediaErrorReason } from './media-error.ts';
export type { MediaWindow } from './media-window.ts';
export {
  type ClipLevels,
  encodeLevels,
  type PictureLevels,
  type SoundLevels,
  type WrittenFile,
} from './write-back/encode-levels.ts';
