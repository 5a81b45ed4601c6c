import { type Client, type ServiceError, status } from '@grpc/grpc-js';

/** How a call ended: its status by name, and what was said. */
export interface Ending {
  readonly status: string;
  readonly details: string;
}

/** A request may set real work in motion; this is long enough to see that it was taken, and what it was answered. */
const DEADLINE_MS = 2_000;

/** Answers after which a call that goes on is ended by the client. */
const MAX_ANSWERS = 20;

const asIs = (bytes: Buffer) => bytes;

/** Sends bytes as they are to a method of any form, and reads until the call ends. Never throws. */
export function rawCall(client: Client, path: string, messages: readonly Uint8Array[]): Promise<Ending> {
  return new Promise((resolve) => {
    const call = client.makeBidiStreamRequest(path, asIs, asIs, { deadline: Date.now() + DEADLINE_MS });
    let answers = 0;
    call.on('data', () => {
      answers += 1;
      if (answers > MAX_ANSWERS) call.cancel();
    });
    call.on('error', ({ code, details }: ServiceError) => resolve({ status: status[code] ?? String(code), details }));
    call.on('end', () => resolve({ status: 'OK', details: '' }));
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
  });
}
