export { type Clip, encodeClip } from './encode-clip.ts';
export { encodePng, type Picture } from './encode-png.ts';
export { encodeWav } from './encode-wav.ts';
export { MediaError, type MediaErrorReason } from './media-error.ts';
