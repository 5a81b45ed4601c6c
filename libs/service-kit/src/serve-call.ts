import type { ServerDuplexStream } from '@grpc/grpc-js';
import { status as Status } from '@grpc/grpc-js';
import { type Context, context as otel, type Span, SpanKind, trace } from '@opentelemetry/api';
import { FaultlineError } from './errors.ts';
import { statusOf, toGrpcStatus } from './grpc-status.ts';
import type { Log } from './log.ts';
import { pause } from './pause.ts';
import { endRpcSpan } from './rpc-tracing.ts';
import type { CallContext } from './service-definition.ts';

/** The transport's view of a call: every form of method is served as a stream in both directions. */
export type RawCall = ServerDuplexStream<unknown, unknown>;

/** A handler of any form, brought to one shape. */
export type StreamHandler = (requests: AsyncIterable<unknown>, context: CallContext) => AsyncIterable<unknown>;

/**
 * The client's own timer and ours start at different moments: a cancellation this close to the deadline is the client's
 * deadline.
 */
const DEADLINE_TOLERANCE_MS = 20;

/**
 * A client built on Node's http2 cancels by ending its side of the stream and then resetting it: at first that looks like
 * a regular end of the requests. The reset follows within a fraction of a millisecond, on a busy machine within a few.
 */
const CANCEL_SETTLE_MS = 10;

/** One running call: drives the handler, and knows how it ended. */
export class ServedCall {
  readonly #call: RawCall;
  readonly #abort = new AbortController();
  readonly #deadline: Date | undefined;
  #answered = false;

  constructor(call: RawCall) {
    this.#call = call;
    const deadline = call.getDeadline();
    const time = deadline instanceof Date ? deadline.getTime() : deadline;
    this.#deadline = Number.isFinite(time) ? new Date(time) : undefined;
    call.on('cancelled', () => this.#onCancelled());
  }

  /** Ends the call from our side, with this error unless it has been answered. */
  abort(reason: FaultlineError): void {
    this.#abort.abort(reason);
  }

  /** Runs the handler to its end, whatever that is, and returns the status that was answered; never throws. */
  async run(handler: StreamHandler, active: Context, span: Span, log: Log): Promise<Status> {
    const context: CallContext = { signal: this.#abort.signal, deadline: this.#deadline, span };
    const outcome = await otel.with(trace.setSpan(active, span), () => this.#drive(handler, context));
    this.#answered = true;
    if (outcome === undefined) {
      this.#call.end();
      endRpcSpan(span, SpanKind.SERVER, Status.OK, '');
      return Status.OK;
    }
    if (outcome.code === 'internal') {
      otel.with(trace.setSpan(active, span), () =>
        log.error(outcome.message, { rpc: this.#call.getPath(), stack: stackOf(outcome) }),
      );
    }
    // grpc-js sends the status of an 'error' event as trailers.
    this.#call.emit('error', toGrpcStatus(outcome));
    const status = statusOf(outcome.code);
    endRpcSpan(span, SpanKind.SERVER, status, outcome.message);
    return status;
  }

  async #drive(handler: StreamHandler, context: CallContext): Promise<FaultlineError | undefined> {
    const active = otel.active();
    let responses: AsyncIterator<unknown> | undefined;
    try {
      context.signal.throwIfAborted();
      responses = handler(this.#requests(), context)[Symbol.asyncIterator]();
      while (true) {
        // A generator resumes in the context of whoever calls next(), hence the explicit one.
        const iterator = responses;
        const next = await otel.with(active, () => iterator.next());
        if (next.done) break;
        await this.#write(next.value);
      }
      responses = undefined;
      context.signal.throwIfAborted();
      return undefined;
    } catch (thrown) {
      const unfinished = responses;
      await otel.with(active, async () => unfinished?.return?.()).catch(() => {});
      // Whatever a handler makes of being aborted, the reason of the abort is the answer.
      return FaultlineError.from(context.signal.aborted ? context.signal.reason : thrown);
    }
  }

  async *#requests(): AsyncGenerator<unknown> {
    const signal = this.#abort.signal;
    try {
      for await (const request of this.#call.iterator({ destroyOnReturn: false })) yield request;
    } catch (thrown) {
      signal.throwIfAborted();
      throw thrown;
    }
    await pause(CANCEL_SETTLE_MS, signal);
    signal.throwIfAborted();
  }

  /** Resolves when the transport has taken the message, so that a slow client slows its handler. */
  #write(message: unknown): Promise<void> {
    const signal = this.#abort.signal;
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      // A cancelled call drops its messages without calling back.
      const onAbort = () => reject(signal.reason);
      signal.addEventListener('abort', onAbort, { once: true });
      this.#call.write(message, () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      });
    });
  }

  #onCancelled(): void {
    // The transport reports the regular end of a call this way, too.
    if (this.#answered || this.#abort.signal.aborted) return;
    const timeLeft = this.#deadline === undefined ? Number.POSITIVE_INFINITY : this.#deadline.getTime() - Date.now();
    this.#abort.abort(
      timeLeft <= DEADLINE_TOLERANCE_MS
        ? new FaultlineError('deadline_exceeded', 'the deadline of the call has passed')
        : new FaultlineError('cancelled', 'the client has cancelled the call or is gone'),
    );
  }
}

function stackOf(error: FaultlineError): string | undefined {
  return error.cause instanceof Error ? error.cause.stack : error.stack;
}
