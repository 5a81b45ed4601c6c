import type { DecodedInput, InputSpecification, MediaErrorReason } from '@faultline/media';

/** Asks a decoder process for one media file's inputs. */
export interface DecodeRequest {
  readonly media: Uint8Array;
  readonly specifications: readonly InputSpecification[];
}

/** Why a decoder process refused; `failed` is anything but the media's fault. */
export interface DecodeFailure {
  readonly kind: 'failure';
  readonly reason: MediaErrorReason | 'failed';
  readonly message: string;
}

/** What a decoder process says: first, once, that it is ready; then one answer a request. */
export type DecoderMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'inputs'; readonly inputs: readonly DecodedInput[] }
  | DecodeFailure;
