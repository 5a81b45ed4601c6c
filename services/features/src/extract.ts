import { encodeTensor, type features } from '@faultline/contracts';
import type { DecodedInput } from '@faultline/media';
import { type CallContext, FaultlineError, tracer } from '@faultline/service-kit';
import { SpanStatusCode } from '@opentelemetry/api';
import type { DecoderPool } from './decoder-pool.ts';
import { type NamedSpecification, validateExtract } from './extract-validation.ts';

/**
 * The Extract method on a pool of decoders.
 * @throws FaultlineError as `validateExtract` and `DecoderPool.decode` do.
 */
export function extractHandler(decoders: DecoderPool) {
  return async (request: features.ExtractRequest, context: CallContext): Promise<features.ExtractResponse> => {
    const named = validateExtract(request);
    const [mediaSha256, inputs] = await Promise.all([
      sha256(request.media),
      decodeTraced(decoders, request.media, named, context.signal),
    ]);
    return {
      inputs: inputs.map((input, index) => ({ name: named[index]?.name ?? '', tensor: encodeTensor(input) })),
      mediaSha256,
    };
  };
}

/** A span around the decoding, the wait for a free decoder included; it tells sizes, nothing of the media. */
function decodeTraced(
  decoders: DecoderPool,
  media: Uint8Array,
  named: readonly NamedSpecification[],
  signal: AbortSignal,
): Promise<readonly DecodedInput[]> {
  return tracer('@faultline/service-features').startActiveSpan('features.decode', async (span) => {
    span.setAttribute('faultline.media.bytes', media.byteLength);
    span.setAttribute('faultline.inputs', named.length);
    try {
      const specifications = named.map(({ specification }) => specification);
      const inputs = await decoders.decode({ media, specifications }, signal);
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

/** Hashed off this thread: a large file takes long enough to delay health checks. */
async function sha256(media: Uint8Array): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(media))).toString('hex');
}
