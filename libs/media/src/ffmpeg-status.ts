import { AVERROR_ENOMEM } from 'node-av/constants';
import { FFmpegError } from 'node-av/lib';
import { MediaError } from './media-error.ts';

/**
 * Judges the status that an FFmpeg call returned while it worked on somebody's media.
 * @param problem what a failure means, in words that follow "the media cannot be decoded: "
 * @throws MediaError `too_large` when memory ran out, `undecodable` for any other negative status.
 */
export function requireStatus(status: number, problem: string): void {
  if (status >= 0) return;
  const detail = FFmpegError.strerror(status);
  if (status === AVERROR_ENOMEM) {
    throw new MediaError('too_large', 'the media takes more memory to decode than is allowed: give a smaller picture');
  }
  throw new MediaError(
    'undecodable',
    `the media cannot be decoded: ${problem} (${detail}); give a whole, undamaged file`,
  );
}
