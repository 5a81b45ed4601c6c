import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type HrTime, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan, SpanProcessor } from '@opentelemetry/sdk-trace';

/** One finished span as written to the span file. */
export interface SpanRecord {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: string;
  readonly service: string;
  /** Nanoseconds since 1970, as a decimal string: a JSON number would lose digits. */
  readonly startUnixNano: string;
  readonly durationMs: number;
  readonly status: string;
  readonly statusMessage?: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly events?: readonly { readonly name: string; readonly atMs: number; readonly attributes?: unknown }[];
}

const FLUSH_INTERVAL_MS = 100;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/**
 * Appends every finished span as one JSON line to `<dir>/<service>-<pid>.jsonl`. Lines are written whole, in small
 * batches, so that a reader that follows the file sees no half span and loses at most the last moment of a killed process.
 */
export class SpanFileProcessor implements SpanProcessor {
  readonly #folder: string;
  readonly #flushOnExit = () => this.#flush();
  #service: string | undefined;
  #finished: ReadableSpan[] = [];
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param service may become known after the first spans have ended; they wait for it.
   * @throws Error when the folder cannot be made.
   */
  constructor(folder: string, service: string | Promise<string>) {
    mkdirSync(folder, { recursive: true });
    this.#folder = folder;
    if (typeof service === 'string') this.#service = service;
    else service.then((name) => this.#setService(name));
    process.on('exit', this.#flushOnExit);
  }

  onStart(): void {}

  onEnd(span: ReadableSpan): void {
    this.#finished.push(span);
    this.#timer ??= setTimeout(() => this.#flush(), FLUSH_INTERVAL_MS).unref();
  }

  async forceFlush(): Promise<void> {
    this.#flush();
  }

  async shutdown(): Promise<void> {
    this.#flush();
    process.off('exit', this.#flushOnExit);
  }

  #setService(name: string): void {
    this.#service = name;
    this.#flush();
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const service = this.#service;
    if (service === undefined || this.#finished.length === 0) return;
    const batch = this.#finished.map((span) => `${JSON.stringify(recordOf(span, service))}\n`).join('');
    this.#finished = [];
    try {
      appendFileSync(join(this.#folder, `${service}-${process.pid}.jsonl`), batch);
    } catch (error) {
      // A full disk must not end a service for the sake of its trace.
      process.stderr.write(`${JSON.stringify({ level: 'warn', message: `spans not written: ${String(error)}` })}\n`);
    }
  }
}

function recordOf(span: ReadableSpan, service: string): SpanRecord {
  const { traceId, spanId } = span.spanContext();
  return {
    traceId,
    spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? '',
    name: span.name,
    kind: SpanKind[span.kind],
    service,
    startUnixNano: toNanoseconds(span.startTime).toString(),
    durationMs: toMilliseconds(span.duration),
    status: SpanStatusCode[span.status.code],
    ...(span.status.message === undefined ? {} : { statusMessage: span.status.message }),
    attributes: span.attributes,
    ...(span.events.length === 0 ? {} : { events: eventsOf(span) }),
  };
}

function eventsOf(span: ReadableSpan): NonNullable<SpanRecord['events']> {
  const start = toNanoseconds(span.startTime);
  return span.events.map(({ name, time, attributes }) => ({
    name,
    atMs: Number(toNanoseconds(time) - start) / 1e6,
    ...(attributes === undefined ? {} : { attributes }),
  }));
}

function toNanoseconds([seconds, nanoseconds]: HrTime): bigint {
  return BigInt(seconds) * NANOSECONDS_PER_SECOND + BigInt(Math.round(nanoseconds));
}

function toMilliseconds([seconds, nanoseconds]: HrTime): number {
  return seconds * 1000 + nanoseconds / 1e6;
}
