import type { features } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';

/** A client that is silent for longer has lost interest; its media must not lie about. */
const IDLE_LIMIT_MS = 30_000;

/**
 * The pieces of media behind the opening message of a stream.
 * @throws FaultlineError `invalid_argument` for any other message, `deadline_exceeded` when none comes for 30 s.
 */
export async function* uploadedMedia(
  messages: AsyncIterator<features.ExtractStreamRequest>,
  idleLimitMs = IDLE_LIMIT_MS,
): AsyncGenerator<Uint8Array> {
  for (;;) {
    const { done, value } = await withinIdleLimit(messages.next(), idleLimitMs);
    if (done) return;
    if (value.kind?.$case !== 'media') {
      throw FaultlineError.invalid(
        'kind',
        'of every message but the first must be media: send the next bytes of the file',
      );
    }
    yield value.kind.value;
  }
}

async function withinIdleLimit<Value>(next: Promise<Value>, limitMs: number): Promise<Value> {
  const { promise: idle, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    reject(
      new FaultlineError('deadline_exceeded', `no media came for ${limitMs} ms: send it faster, or end the stream`),
    );
  }, limitMs);
  try {
    return await Promise.race([next, idle]);
  } finally {
    clearTimeout(timer);
  }
}
