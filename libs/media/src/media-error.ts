/** Why media could not be turned into inputs, or inputs into media. */
export type MediaErrorReason =
  /** The bytes are no media that can be read, or end too early. */
  | 'undecodable'
  /** The file has no audio stream, or nothing in it decodes. */
  | 'no_audio'
  /** The file has no video stream, or nothing in it decodes. */
  | 'no_video'
  /** A picture, a stream or the whole asks for more than the limits allow. */
  | 'too_large'
  /** The window begins behind the media's end. */
  | 'bad_window'
  /** The caller's sizes or rates make no sense. */
  | 'bad_specification';

/** The one error of this library; `reason` is for programs, `message` for people. */
export class MediaError extends Error {
  override name = 'MediaError';
  readonly reason: MediaErrorReason;

  constructor(reason: MediaErrorReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** @throws MediaError `bad_specification` naming `name` and `value` unless it is an integer of at least 1. */
export function requirePositiveInteger(name: string, value: number): void {
  if (Number.isSafeInteger(value) && value >= 1) return;
  throw new MediaError('bad_specification', `${name} must be an integer of at least 1, but is ${value}`);
}

/** @throws MediaError `bad_specification` naming `name` and `value` unless it is a finite number above 0. */
export function requirePositive(name: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return;
  throw new MediaError('bad_specification', `${name} must be a number above 0, but is ${value}`);
}
