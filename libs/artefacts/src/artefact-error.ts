/** `missing`: nothing has that name. `damaged`: the bytes are not what their name says. `malformed`: that is no name. */
export type ArtefactErrorCode = 'missing' | 'damaged' | 'malformed';

/** What a store cannot do; the message names the digest and the remedy. */
export class ArtefactError extends Error {
  override readonly name = 'ArtefactError';
  readonly code: ArtefactErrorCode;

  constructor(code: ArtefactErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
