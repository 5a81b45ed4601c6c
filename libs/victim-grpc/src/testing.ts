import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** Bytes that went each way, with all that HTTP/2 adds. */
export interface Traffic {
  readonly toServer: number;
  readonly toClient: number;
}

/** A relay in front of a server that counts what passes. */
export interface CountingRelay extends AsyncDisposable {
  /** `host:port` to connect to in place of the server. */
  readonly address: string;
  readonly traffic: Traffic;
}

/** Starts a relay on 127.0.0.1 in front of the server at `address` (`host:port`). For tests and benchmarks. */
export async function countingRelay(address: string): Promise<CountingRelay> {
  const { hostname, port } = new URL(`tcp://${address}`);
  const traffic = { toServer: 0, toClient: 0 };
  const sockets = new Set<Socket>();
  const relay = createServer((client) => {
    const server = connect(Number(port), hostname);
    for (const [from, to, direction] of [
      [client, server, 'toServer'],
      [server, client, 'toClient'],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('data', (bytes: Buffer) => {
        traffic[direction] += bytes.byteLength;
      });
      from.on('error', () => to.destroy());
      from.on('close', () => sockets.delete(from));
      from.pipe(to);
    }
  });
  relay.listen(0, '127.0.0.1');
  await once(relay, 'listening');
  const bound = relay.address();
  if (bound === null || typeof bound === 'string') throw new Error('the relay has no port');
  return {
    address: `127.0.0.1:${bound.port}`,
    traffic,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      relay.close();
      await once(relay, 'close');
    },
  };
}
