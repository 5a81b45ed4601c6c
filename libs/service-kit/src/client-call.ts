import { type Client, type ClientDuplexStream, Metadata, status as Status, type StatusObject } from '@grpc/grpc-js';
import { context as otel, SpanKind, trace } from '@opentelemetry/api';
import { FaultlineError } from './errors.ts';
import { fromGrpcStatus } from './grpc-status.ts';
import { endRpcSpan, injectTrace, type ServerAddress, startRpcSpan } from './rpc-tracing.ts';
import {
  type BidiCall,
  type CallOptions,
  type MethodDefinition,
  methodNames,
  type RequestStream,
} from './service-definition.ts';
import { tracer } from './telemetry.ts';

/** One call as a client sees it: every form of method is a stream in both directions on the wire. */
export class OpenCall {
  readonly #stream: ClientDuplexStream<unknown, unknown>;
  /** The error the call ended with, or undefined when it went well. */
  readonly #ended: Promise<FaultlineError | undefined>;
  /** Why we cancelled it ourselves, when we did. */
  #cancelReason: FaultlineError | undefined;
  #over = false;
  readonly #waitingSends = new Set<() => void>();

  constructor(grpc: Client, method: MethodDefinition, target: ServerAddress, options: CallOptions) {
    const { fullName } = methodNames(method);
    const parent = otel.active();
    const span = startRpcSpan(tracer('@faultline/service-kit'), SpanKind.CLIENT, fullName, target, parent);
    const metadata = new Metadata();
    injectTrace(trace.setSpan(parent, span), metadata);
    const serialize = method.requestSerialize as (value: unknown) => Buffer;
    this.#stream = grpc.makeBidiStreamRequest(method.path, serialize, method.responseDeserialize, metadata, {
      deadline: earliestDeadline(options),
    });
    const stopListening = this.#cancelOn([options.signal, options.context?.signal]);
    this.#ended = new Promise((resolve) => {
      // The status tells all; an 'error' event without a listener would end the process.
      this.#stream.on('error', () => {});
      this.#stream.on('status', (status) => {
        this.#over = true;
        stopListening();
        for (const onOver of this.#waitingSends) onOver();
        const error = this.#errorOf(status);
        endRpcSpan(span, SpanKind.CLIENT, status.code, error?.message ?? '');
        resolve(error);
      });
    });
  }

  async unary(request: unknown): Promise<unknown> {
    this.sendLast(request);
    return this.#onlyResponse();
  }

  /** Sends all requests, then waits for the response; a response that comes earlier ends the sending. */
  async clientStream(requests: RequestStream<unknown>): Promise<unknown> {
    const response = this.#onlyResponse();
    const sending = this.#sendAll(requests);
    // A call that is over makes sending fail, and says itself why.
    const failure = sending.then(
      () => new Promise<never>(() => {}),
      async (error: unknown) => {
        if (this.#over) return new Promise<never>(() => {});
        this.#cancel(FaultlineError.from(error));
        throw error;
      },
    );
    return Promise.race([response, failure]);
  }

  async #sendAll(requests: RequestStream<unknown>): Promise<void> {
    for await (const request of requests) await this.#send(request);
    this.#stream.end();
  }

  async #onlyResponse(): Promise<unknown> {
    let response: { readonly message: unknown } | undefined;
    this.#stream.on('data', (message: unknown) => {
      response = { message };
    });
    const error = await this.#ended;
    if (error !== undefined) throw error;
    if (response === undefined) throw new FaultlineError('internal', 'the server answered without a message');
    return response.message;
  }

  bidi(): BidiCall<unknown, unknown> {
    return {
      send: (request) => this.#send(request),
      end: () => this.#stream.end(),
      responses: this.responses(),
      cancel: () => this.#cancel(new FaultlineError('cancelled', 'cancelled by the caller')),
    };
  }

  /** Sends the only request and half-closes. */
  sendLast(request: unknown): void {
    this.#stream.write(request);
    this.#stream.end();
  }

  async *responses(): AsyncGenerator<unknown> {
    try {
      for await (const response of this.#stream.iterator({ destroyOnReturn: false })) yield response;
      const error = await this.#ended;
      if (error !== undefined) throw error;
    } catch (thrown) {
      throw (await this.#ended) ?? thrown;
    } finally {
      this.#cancel(new FaultlineError('cancelled', 'the caller stopped reading'));
    }
  }

  #send(request: unknown): Promise<void> {
    return new Promise((resolve, reject) => {
      const onOver = () => void this.#ended.then((error) => reject(error ?? streamIsOver()));
      if (this.#over) return onOver();
      // A call that ends drops its messages without calling back.
      this.#waitingSends.add(onOver);
      this.#stream.write(request, (error?: Error | null) => {
        this.#waitingSends.delete(onOver);
        if (error === null || error === undefined) resolve();
        else if (this.#over) onOver();
        else reject(new FaultlineError('failed_precondition', 'nothing can be sent after end()', { cause: error }));
      });
    });
  }

  #cancel(reason: FaultlineError): void {
    if (this.#over) return;
    this.#cancelReason ??= reason;
    this.#stream.cancel();
  }

  #cancelOn(signals: readonly (AbortSignal | undefined)[]): () => void {
    const given = signals.filter((signal) => signal !== undefined);
    const onAbort = (event: Event) => this.#cancel(abortReason(event.target));
    for (const signal of given) {
      if (signal.aborted) this.#cancel(abortReason(signal));
      else signal.addEventListener('abort', onAbort, { once: true });
    }
    return () => {
      for (const signal of given) signal.removeEventListener('abort', onAbort);
    };
  }

  #errorOf(status: StatusObject): FaultlineError | undefined {
    if (status.code === Status.OK) return undefined;
    if (status.code === Status.CANCELLED && this.#cancelReason !== undefined) return this.#cancelReason;
    return fromGrpcStatus(status);
  }
}

function streamIsOver(): FaultlineError {
  return new FaultlineError('failed_precondition', 'the server has already ended the stream');
}

function abortReason(signal: EventTarget | null): FaultlineError {
  const reason: unknown = signal instanceof AbortSignal ? signal.reason : undefined;
  const error = FaultlineError.from(reason);
  // A signal may be aborted with anything; whatever it was, the call was cancelled.
  return error.code === 'internal' ? new FaultlineError('cancelled', error.message, { cause: reason }) : error;
}

function earliestDeadline({ deadlineMs, context }: CallOptions): Date | undefined {
  const own = deadlineMs === undefined ? Number.POSITIVE_INFINITY : Date.now() + deadlineMs;
  const earliest = Math.min(own, context?.deadline?.getTime() ?? Number.POSITIVE_INFINITY);
  return Number.isFinite(earliest) ? new Date(earliest) : undefined;
}
