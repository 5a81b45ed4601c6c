import { Server, ServerCredentials, type ServerOptions } from '@grpc/grpc-js';
import { ROOT_CONTEXT, SpanKind, trace } from '@opentelemetry/api';
import { FaultlineError } from './errors.ts';
import { HealthService, healthHandlers } from './health.ts';
import {
  DRAIN_TIMEOUT_MS,
  MAX_CONCURRENT_STREAMS,
  MAX_CONNECTION_AGE_GRACE_MS,
  MAX_CONNECTION_AGE_MS,
  MAX_MESSAGE_BYTES,
} from './limits.ts';
import { logger } from './log.ts';
import { OldReflectionService, ReflectionService, reflectionHandlers } from './reflection.ts';
import { decodeRequest, UndecodableRequest } from './request-decoding.ts';
import { CallDurations } from './rpc-metrics.ts';
import { extractTrace, type ServerAddress, startRpcSpan } from './rpc-tracing.ts';
import { type RawCall, ServedCall, type StreamHandler } from './serve-call.ts';
import {
  type CallContext,
  type Handlers,
  type MethodDefinition,
  methodNames,
  type ServiceDefinition,
} from './service-definition.ts';
import { tracer } from './telemetry.ts';
import './transport-log.ts';

/** A service with its handlers, ready to be served; made by `register`. */
export interface RegisteredService {
  readonly name: string;
  readonly methods: readonly RegisteredMethod[];
}

interface RegisteredMethod {
  readonly definition: MethodDefinition;
  readonly handler: StreamHandler;
}

/**
 * Pairs a generated service definition with the functions that implement it.
 * @throws Error when a method has no handler.
 */
export function register<const Definition extends ServiceDefinition>(
  definition: Definition,
  handlers: Handlers<Definition>,
): RegisteredService {
  const methods = Object.entries(definition).map(([key, method]) => ({
    definition: method,
    handler: toStreamHandler(method, key, handlers),
  }));
  const [first] = methods;
  if (first === undefined) throw new Error('a service needs at least one method');
  return { name: methodNames(first.definition).service, methods };
}

export interface StartServerOptions {
  /** Short service name, e.g. `inference`. */
  readonly name: string;
  readonly services: readonly RegisteredService[];
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  /** Health says SERVING only while this holds; default: always ready. */
  readonly ready?: () => boolean;
  /** Called when a drain begins, while running calls still finish: take no more work, stop what runs in the background. */
  readonly onDrain?: () => Promise<void>;
  /** Called after the last call has ended: close what the handlers used. */
  readonly onClose?: () => Promise<void>;
  /** How long a drain waits for running calls before it aborts them; default 25 s. */
  readonly drainTimeoutMs?: number;
  /** When a connection is asked to make room for a new one, which finds new replicas; calls go on. Default: 5 min. */
  readonly maxConnectionAgeMs?: number;
}

export interface RunningServer extends AsyncDisposable {
  readonly name: string;
  /** `host:port` with the port that was really bound. */
  readonly address: string;
  /**
   * Drains: health turns to NOT_SERVING, new calls are refused as unavailable, running calls may finish for
   * `drainTimeoutMs`, then they are aborted and connections cut. Another call only shortens the wait.
   */
  close(options?: { readonly drainTimeoutMs?: number }): Promise<void>;
}

/**
 * Serves the given services, grpc.health.v1 and grpc.reflection.v1 on one port.
 * @throws FaultlineError unavailable when the address cannot be bound.
 */
export async function startServer(options: StartServerOptions): Promise<RunningServer> {
  const running = new GrpcServer(options);
  await running.listen(options.host, options.port);
  return running;
}

/** Time that aborted handlers get for their `finally` blocks, and connections for their last frames. */
const ABORT_GRACE_MS = 1000;

const SERVER_OPTIONS: ServerOptions = {
  'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
  'grpc.max_concurrent_streams': MAX_CONCURRENT_STREAMS,
  'grpc.max_connection_age_grace_ms': MAX_CONNECTION_AGE_GRACE_MS,
};

class GrpcServer implements RunningServer {
  readonly name: string;
  readonly #options: StartServerOptions;
  readonly #server: Server;
  readonly #log;
  readonly #durations = new CallDurations();
  readonly #calls = new Map<ServedCall, Promise<void>>();
  /** Calls of probes and tools: a drain does not wait for them. */
  readonly #sideCalls = new Map<ServedCall, Promise<void>>();
  #bound: ServerAddress = { host: '', port: undefined };
  readonly #patienceOver = Promise.withResolvers<void>();
  #draining = false;
  #closed: Promise<void> | undefined;

  constructor(options: StartServerOptions) {
    this.name = options.name;
    this.#options = options;
    const { maxConnectionAgeMs = MAX_CONNECTION_AGE_MS } = options;
    this.#server = new Server({ ...SERVER_OPTIONS, 'grpc.max_connection_age_ms': maxConnectionAgeMs });
    this.#log = logger(options.name);
    const names = new Set(options.services.map(({ name }) => name));
    const serving = () => !this.#draining && (options.ready?.() ?? true);
    const health = register(HealthService, healthHandlers(names, serving));
    for (const { methods } of options.services) {
      for (const method of methods) this.#serve(method, (call) => this.#startCall(call, method));
    }
    const reflected = reflectionHandlers([
      ...names,
      health.name,
      methodNames(ReflectionService.serverReflectionInfo).service,
    ]);
    const side = [health, register(ReflectionService, reflected), register(OldReflectionService, reflected)];
    for (const { methods } of side) {
      for (const method of methods) this.#serve(method, (call) => this.#startSideCall(call, method));
    }
  }

  get address(): string {
    const { host, port } = this.#bound;
    return `${host.includes(':') ? `[${host}]` : host}:${port}`;
  }

  async listen(host: string, port: number): Promise<void> {
    const target = `${host.includes(':') ? `[${host}]` : host}:${port}`;
    const bound = await new Promise<number>((resolve, reject) => {
      this.#server.bindAsync(target, ServerCredentials.createInsecure(), (error, boundPort) => {
        if (error === null) resolve(boundPort);
        else
          reject(new FaultlineError('unavailable', `cannot listen on ${target}: ${error.message}`, { cause: error }));
      });
    });
    this.#bound = { host, port: bound };
  }

  close({ drainTimeoutMs = this.#options.drainTimeoutMs ?? DRAIN_TIMEOUT_MS } = {}): Promise<void> {
    setTimeout(this.#patienceOver.resolve, drainTimeoutMs).unref();
    this.#closed ??= this.#drain();
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Every form of method is one stream in both directions on the wire, so one way to serve does for all. */
  #serve({ definition }: RegisteredMethod, handle: (call: RawCall) => void): void {
    const { path, responseSerialize, requestDeserialize } = definition;
    const serialize = responseSerialize as (value: unknown) => Buffer;
    const deserialize = (bytes: Buffer) => decodeRequest(requestDeserialize, bytes, path);
    if (!this.#server.register(path, handle, serialize, deserialize, 'bidi')) {
      throw new Error(`method ${path} is registered twice`);
    }
  }

  #startCall(call: RawCall, { definition, handler }: RegisteredMethod): void {
    const parent = extractTrace(call.metadata);
    const { fullName } = methodNames(definition);
    const span = startRpcSpan(tracer('@faultline/service-kit'), SpanKind.SERVER, fullName, this.#bound, parent);
    const served = new ServedCall(call);
    if (this.#draining) served.abort(new FaultlineError('unavailable', `${this.name} is shutting down`));
    const started = performance.now();
    const run = served.run(handler, parent, span, this.#log);
    track(
      this.#calls,
      served,
      run.then((status) => this.#durations.record(fullName, status, performance.now() - started)),
    );
  }

  /** Probes come every few seconds, tools ask for contracts: neither says anything in a trace. */
  #startSideCall(call: RawCall, { handler }: RegisteredMethod): void {
    const served = new ServedCall(call);
    const span = trace.wrapSpanContext({ traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 });
    const run = served.run(handler, ROOT_CONTEXT, span, this.#log);
    track(
      this.#sideCalls,
      served,
      run.then(() => undefined),
    );
  }

  async #windDown(): Promise<void> {
    try {
      await this.#options.onDrain?.();
    } catch (error) {
      this.#log.error('winding down failed', { stack: error instanceof Error ? error.stack : String(error) });
    }
  }

  async #drain(): Promise<void> {
    this.#draining = true;
    const reason = new FaultlineError('unavailable', `${this.name} is shutting down`);
    const finished = Promise.allSettled([this.#windDown(), ...this.#calls.values()]);
    await Promise.race([finished, this.#patienceOver.promise]);
    for (const call of [...this.#calls.keys(), ...this.#sideCalls.keys()]) call.abort(reason);
    await settledWithin(ABORT_GRACE_MS, [...this.#calls.values(), ...this.#sideCalls.values()]);
    await settledWithin(ABORT_GRACE_MS, [new Promise((resolve) => this.#server.tryShutdown(() => resolve()))]);
    this.#server.forceShutdown();
    await this.#options.onClose?.();
  }
}

function track(calls: Map<ServedCall, Promise<void>>, call: ServedCall, done: Promise<void>): void {
  calls.set(
    call,
    done.finally(() => calls.delete(call)),
  );
}

/** Waits for the given work, but no longer than `milliseconds`. */
async function settledWithin(milliseconds: number, work: readonly Promise<void>[]): Promise<void> {
  const { promise: timeout, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, milliseconds);
  await Promise.race([Promise.allSettled(work), timeout]);
  clearTimeout(timer);
}

type AnyHandler = (input: unknown, context: CallContext) => Promise<unknown> | AsyncIterable<unknown>;

function toStreamHandler(method: MethodDefinition, key: string, handlers: object): StreamHandler {
  const untyped: unknown = Reflect.get(handlers, key);
  if (typeof untyped !== 'function') throw new Error(`method '${key}' of ${method.path} has no handler`);
  const handler: AnyHandler = untyped.bind(handlers);
  return async function* (requests, context) {
    const decoded = decodedOnly(requests);
    const input = method.requestStream ? decoded : await onlyMessage(decoded, method.path);
    const output = handler(input, context);
    if (method.responseStream) yield* output as AsyncIterable<unknown>;
    else yield await (output as Promise<unknown>);
  };
}

async function* decodedOnly(requests: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  for await (const request of requests) {
    if (request instanceof UndecodableRequest) throw request.error;
    yield request;
  }
}

async function onlyMessage(requests: AsyncIterable<unknown>, path: string): Promise<unknown> {
  for await (const request of requests) return request;
  throw new FaultlineError('unimplemented', `${path} takes one request message, but none came`);
}
