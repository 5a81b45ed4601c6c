// A decoder process: decodes one media file after the other for its parent, and dies with it.

import { decodeMedia, MediaError } from '@faultline/media';
import type { DecodeFailure, DecodeRequest, DecoderMessage } from './decoder-messages.ts';

const MICROSECONDS_PER_SECOND = 1e6;

function answer(message: DecoderMessage): void {
  process.send?.(message);
}

async function decode({ path, specifications, window }: DecodeRequest): Promise<DecoderMessage> {
  try {
    const inputs = await decodeMedia({ path }, specifications, window);
    const { user, system } = process.cpuUsage();
    return { kind: 'inputs', inputs, cpuSeconds: (user + system) / MICROSECONDS_PER_SECOND };
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

// A plain exit would wait for handles. A native call that hangs just then is ended by the limit on processor time.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
// The service decides when its decoders end; a terminal's Ctrl-C reaches them too.
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});
process.on('message', (request: DecodeRequest) => {
  decode(request).then(answer);
});
answer({ kind: 'ready' });
