import { ChannelCredentials, type ClientOptions, Client as GrpcClient } from '@grpc/grpc-js';
import { context as otel } from '@opentelemetry/api';
import { OpenCall } from './client-call.ts';
import { FaultlineError } from './errors.ts';
import { FLOW_CONTROL_WINDOW_BYTES, MAX_MESSAGE_BYTES, RETRY_BUFFER_BYTES, STREAM_BUFFER_BYTES } from './limits.ts';
import { parseAddress, type ServerAddress } from './rpc-tracing.ts';
import {
  type CallerOf,
  type CallOptions,
  type MethodDefinition,
  methodNames,
  type RequestStream,
  type ServiceDefinition,
  type UnaryKey,
} from './service-definition.ts';
import './transport-log.ts';

export interface ConnectOptions<Definition extends ServiceDefinition> {
  /** Methods that may safely run twice; they are retried when the server is UNAVAILABLE. */
  readonly idempotent?: readonly UnaryKey<Definition>[];
}

export interface ClientLifecycle extends Disposable {
  /** Ends the connection; running calls fail as unavailable or cancelled. */
  close(): void;
  /**
   * Waits for a connection.
   * @throws FaultlineError unavailable when there is none after `timeoutMs`.
   */
  waitForReady(timeoutMs: number): Promise<void>;
}

/** One function per method of the service, and the life of the connection. */
export type Client<Definition extends ServiceDefinition> = {
  readonly [Key in keyof Definition]: CallerOf<Definition[Key]>;
} & ClientLifecycle;

/**
 * A typed client of the service at `address` (`host:port`, or a gRPC target such as `dns:///inference:5000`), which is
 * connected to at the first call. Calls are spread over all addresses that the target resolves to.
 */
export function connect<const Definition extends ServiceDefinition>(
  definition: Definition,
  address: string,
  options: ConnectOptions<Definition> = {},
): Client<Definition> {
  const retried = new Set<MethodDefinition>((options.idempotent ?? []).flatMap((key) => definition[key] ?? []));
  // A connection that ends with its age refuses calls that were under way to it: a request that is kept whole goes out again.
  const whole = openChannel(address, [...retried], MAX_MESSAGE_BYTES);
  const streams = Object.values(definition).some(({ requestStream }) => requestStream);
  const streaming = streams ? openChannel(address, [], STREAM_BUFFER_BYTES) : whole;
  const target = parseAddress(address);
  const callers = Object.entries(definition).map(([key, method]) => {
    return [key, callerOf(method.requestStream ? streaming : whole, method, target)] as const;
  });
  const close = () => {
    whole.close();
    streaming.close();
  };
  const lifecycle: ClientLifecycle = {
    close,
    waitForReady: (timeoutMs) => waitForReady(whole, address, timeoutMs),
    [Symbol.dispose]: close,
  };
  return Object.assign(Object.fromEntries(callers), lifecycle) as Client<Definition>;
}

const CLIENT_OPTIONS: ClientOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.retry_buffer_size': RETRY_BUFFER_BYTES,
  'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
  // Our own services are reached directly, also where the shell names a proxy; and our config comes from here, not from DNS.
  'grpc.enable_http_proxy': 0,
  'grpc.service_config_disable_resolution': 1,
};

/** Retries: three more attempts within about a second, and only for a server that did not take the call. */
const RETRY_POLICY = {
  maxAttempts: 4,
  initialBackoff: '0.1s',
  maxBackoff: '1s',
  backoffMultiplier: 2,
  retryableStatusCodes: ['UNAVAILABLE'],
};

/** Streams of requests have a channel of their own, for how much a call buffers is an option of the channel. */
function openChannel(address: string, retried: readonly MethodDefinition[], bufferBytes: number): GrpcClient {
  const names = retried.map(methodNames).map(({ service, method }) => ({ service, method }));
  const serviceConfig = {
    loadBalancingConfig: [{ round_robin: {} }],
    methodConfig: names.length === 0 ? [] : [{ name: names, retryPolicy: RETRY_POLICY }],
  };
  return new GrpcClient(address, ChannelCredentials.createInsecure(), {
    ...CLIENT_OPTIONS,
    'grpc.per_rpc_retry_buffer_size': bufferBytes,
    'grpc.service_config': JSON.stringify(serviceConfig),
  });
}

function callerOf(grpc: GrpcClient, method: MethodDefinition, target: ServerAddress): unknown {
  const open = (options: CallOptions) => new OpenCall(grpc, method, target, options);
  if (method.requestStream && method.responseStream) {
    return (options: CallOptions = {}) => open(options).bidi();
  }
  if (method.requestStream) {
    return (requests: RequestStream<unknown>, options: CallOptions = {}) => open(options).clientStream(requests);
  }
  if (method.responseStream) {
    return (request: unknown, options: CallOptions = {}) => {
      const active = otel.active();
      return serverStream(() => otel.with(active, () => open(options)), request);
    };
  }
  return (request: unknown, options: CallOptions = {}) => open(options).unary(request);
}

/** The call starts with the iteration, so that a stream nobody reads costs nothing. */
async function* serverStream(open: () => OpenCall, request: unknown): AsyncGenerator<unknown> {
  const call = open();
  call.sendLast(request);
  yield* call.responses();
}

function waitForReady(grpc: GrpcClient, address: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    grpc.waitForReady(Date.now() + timeoutMs, (error) => {
      if (error === undefined) resolve();
      else
        reject(
          new FaultlineError('unavailable', `no connection to ${address} within ${timeoutMs} ms`, { cause: error }),
        );
    });
  });
}
