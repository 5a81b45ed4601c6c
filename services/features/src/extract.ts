import { type common, encodeTensor, type features } from '@faultline/contracts';
import type { DecodedInput } from '@faultline/media';
import { type CallContext, FaultlineError, type Handlers, tracer } from '@faultline/service-kit';
import { SpanStatusCode } from '@opentelemetry/api';
import type { DecodeRequest } from './decoder-messages.ts';
import type { DecoderPool } from './decoder-pool.ts';
import {
  type Extraction,
  MAX_BYTES,
  type NamedSpecification,
  validateExtract,
  validateOpen,
} from './extract-validation.ts';
import type { Spool, SpooledMedia } from './spool.ts';
import { uploadedMedia } from './uploaded-media.ts';

export interface ExtractResources {
  readonly decoders: DecoderPool;
  readonly spool: Spool;
  /** Largest media file of a stream. */
  readonly uploadLimitBytes: number;
}

/**
 * The methods of FeaturesService.
 * @throws FaultlineError as `validateExtract`, `validateOpen`, `Spool.store` and `DecoderPool.decode` do.
 */
export function extractHandlers(resources: ExtractResources): Handlers<typeof features.FeaturesServiceService> {
  const { decoders, spool, uploadLimitBytes } = resources;
  return {
    async extract(request, context) {
      const extraction = validateExtract(request);
      await using media = await spool.store([request.media], MAX_BYTES);
      for await (const inputs of extractWindows(decoders, media, extraction, context)) {
        return { inputs, mediaSha256: media.sha256 };
      }
      throw new Error('an extraction has at least one window');
    },
    async *extractStream(requests, context) {
      const messages = requests[Symbol.asyncIterator]();
      const { value: first } = await messages.next();
      if (first?.kind?.$case !== 'open') {
        throw FaultlineError.invalid('kind', 'of the first message must be open: say what to extract, then send media');
      }
      const extraction = validateOpen(first.kind.value);
      await using media = await spool.store(uploadedMedia(messages), uploadLimitBytes);
      if (media.size === 0) throw FaultlineError.invalid('media', 'is empty: send the bytes of a whole media file');
      let window = 0;
      for await (const inputs of extractWindows(decoders, media, extraction, context)) {
        yield { window, inputs, mediaSha256: media.sha256 };
        window++;
      }
    },
  };
}

async function* extractWindows(
  decoders: DecoderPool,
  media: SpooledMedia,
  { inputs, windows }: Extraction,
  { signal }: CallContext,
): AsyncGenerator<common.NamedTensor[]> {
  const specifications = inputs.map(({ specification }) => specification);
  for (const [index, window] of windows.entries()) {
    const request: DecodeRequest = { path: media.path, specifications, window };
    const decoded = await decodeTraced(decoders, request, media, signal).catch((error: unknown) => {
      throw windows.length > 1 ? ofWindow(error, index) : error;
    });
    yield named(inputs, decoded);
  }
}

function named(inputs: readonly NamedSpecification[], decoded: readonly DecodedInput[]): common.NamedTensor[] {
  return decoded.map((input, index) => ({ name: inputs[index]?.name ?? '', tensor: encodeTensor(input) }));
}

/** Where one window of many is at fault, says which. */
function ofWindow(error: unknown, index: number): unknown {
  if (!(error instanceof FaultlineError)) return error;
  const [violation] = error.violations;
  if (violation === undefined || !violation.field.startsWith('window.')) return error;
  return FaultlineError.invalid(violation.field.replace('window', `open.windows[${index}]`), violation.description);
}

/** A span around the decoding, the wait for a free decoder included; it tells sizes, nothing of the media. */
function decodeTraced(
  decoders: DecoderPool,
  request: DecodeRequest,
  media: SpooledMedia,
  signal: AbortSignal,
): Promise<readonly DecodedInput[]> {
  return tracer('@faultline/service-features').startActiveSpan('features.decode', async (span) => {
    span.setAttribute('faultline.media.bytes', media.size);
    span.setAttribute('faultline.inputs', request.specifications.length);
    try {
      const inputs = await decoders.decode(request, signal);
      span.setAttribute(
        'faultline.output.bytes',
        inputs.reduce((sum, { data }) => sum + data.byteLength, 0),
      );
      return inputs;
    } catch (error) {
      span.setStatus({ code: SpanStatusCode.ERROR, message: FaultlineError.from(error).code });
      throw error;
    } finally {
      span.end();
    }
  });
}
