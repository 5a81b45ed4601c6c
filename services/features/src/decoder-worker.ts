// A decoder process: decodes one media file after the other for its parent, and dies with it.
import { decodeMedia, MediaError } from '@faultline/media';
import type { DecodeFailure, DecodeRequest, DecoderMessage } from './decoder-messages.ts';

function answer(message: DecoderMessage): void {
  process.send?.(message);
}

async function decode({ media, specifications }: DecodeRequest): Promise<DecoderMessage> {
  try {
    return { kind: 'inputs', inputs: await decodeMedia(media, specifications) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { kind: 'failure', reason: reasonOf(error), message };
  }
}

function reasonOf(error: unknown): DecodeFailure['reason'] {
  if (error instanceof MediaError) return error.reason;
  // "Array buffer allocation failed": the memory limit of this process.
  return error instanceof RangeError ? 'too_large' : 'failed';
}

// A plain exit would wait for a native call that hangs.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// The service decides when its decoders end; a terminal's Ctrl-C reaches them too.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (request: DecodeRequest) => {
  decode(request).then(answer);
});
answer({ kind: 'ready' });
