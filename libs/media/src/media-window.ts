import { MediaError } from './media-error.ts';

/** A part of a media file, in seconds from where its first stream begins. */
export interface MediaWindow {
  /** At least 0. */
  readonly startSeconds: number;
  /** What follows counts as not there; left out: until the media's end. */
  readonly durationSeconds?: number;
}

export const WHOLE: MediaWindow = { startSeconds: 0 };

/** Two moments on one time line; the end may be infinite. */
export interface Span {
  readonly startSeconds: number;
  readonly endSeconds: number;
}

/** @throws MediaError `bad_specification` naming the field that makes no sense. */
export function validateWindow({ startSeconds, durationSeconds }: MediaWindow): void {
  if (!(Number.isFinite(startSeconds) && startSeconds >= 0)) {
    throw new MediaError('bad_specification', `startSeconds must be a number of at least 0, but is ${startSeconds}`);
  }
  if (durationSeconds !== undefined && !(Number.isFinite(durationSeconds) && durationSeconds > 0)) {
    throw new MediaError('bad_specification', `durationSeconds must be a number above 0, but is ${durationSeconds}`);
  }
}

/** The window on a time line whose media begins at `originSeconds`. */
export function spanOf({ startSeconds, durationSeconds }: MediaWindow, originSeconds: number): Span {
  const start = originSeconds + startSeconds;
  return { startSeconds: start, endSeconds: start + (durationSeconds ?? Number.POSITIVE_INFINITY) };
}
