import type { Frame } from 'node-av/lib';

/** Turns the decoded frames of one stream, in order of presentation, into one input. */
export interface Sink {
  /** True once later frames cannot change the result. */
  readonly full: boolean;
  /** Takes a decoded frame that begins at `seconds` on the media's time line. The frame is the caller's. */
  push(frame: Frame, seconds: number): void;
  /** Whether any frame arrived. */
  readonly empty: boolean;
  free(): void;
}
