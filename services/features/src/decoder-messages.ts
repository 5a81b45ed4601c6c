import type { DecodedInput, InputSpecification, MediaErrorReason, MediaWindow } from '@faultline/media';

/** Asks a decoder process for the inputs that a window of one media file gives. */
export interface DecodeRequest {
  /** Where the media file lies. */
  readonly path: string;
  readonly specifications: readonly InputSpecification[];
  readonly window: MediaWindow;
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
  | {
      readonly kind: 'inputs';
      readonly inputs: readonly DecodedInput[];
      /** Processor time that the process has taken since it began. */
      readonly cpuSeconds: number;
    }
  | DecodeFailure;
