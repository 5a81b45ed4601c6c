import { context, DiagLogLevel, diag, propagation, type Tracer, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { ConfigError } from './config.ts';
import { logger } from './log.ts';

/** The tracer of one library or service; does nothing until telemetry is started. */
export function tracer(name: string): Tracer {
  return trace.getTracer(name);
}

export interface TelemetryOptions {
  /** Folder for the span file; default: FAULTLINE_TRACE_DIR. */
  readonly traceDir?: string | undefined;
  /** OTLP endpoint, e.g. http://collector:4318; default: OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly otlpEndpoint?: string | undefined;
}

export interface Telemetry extends AsyncDisposable {
  /** Sends and writes what is still waiting, then stops. */
  shutdown(): Promise<void>;
}

const EXPORT_INTERVAL_MS = 1000;

/** A collector that does not answer must not hold up a process that wants to exit. */
const EXPORT_TIMEOUT_MS = 3000;

/**
 * Starts tracing for this process, once. The trace context is passed on in any case; spans are recorded only when they go
 * somewhere: to an OTLP endpoint, to a span file, or to both. The SDK is loaded only then.
 * @param serviceName short name; spans carry `service.name` = `faultline-<serviceName>`. A promise of it is
 * fine: spans wait until it is known.
 * @throws ConfigError for a trace folder that cannot be made, or an OTLP protocol other than grpc and http/protobuf.
 */
export async function startTelemetry(
  serviceName: string | Promise<string>,
  options: TelemetryOptions = {},
): Promise<Telemetry> {
  const traceDir = options.traceDir ?? (process.env.FAULTLINE_TRACE_DIR || undefined);
  const otlpEndpoint = options.otlpEndpoint ?? (process.env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined);
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const provider = await startProvider(serviceName, traceDir, otlpEndpoint);
  const shutdown = async () => {
    // A failed export is no reason to fail a shutdown; what could be written is written.
    await provider?.shutdown().catch(() => {});
    trace.disable();
    diag.disable();
    context.disable();
    propagation.disable();
  };
  return { shutdown, [Symbol.asyncDispose]: shutdown };
}

async function startProvider(
  service: string | Promise<string>,
  traceDir: string | undefined,
  otlpEndpoint: string | undefined,
) {
  if (traceDir === undefined && otlpEndpoint === undefined) return undefined;
  const [{ TracerProvider }, { resourceFromAttributes }] = await Promise.all([
    import('@opentelemetry/sdk-trace'),
    import('@opentelemetry/resources'),
  ]);
  const spanProcessors: SpanProcessor[] = [];
  if (traceDir !== undefined) {
    spanProcessors.push(await spanFileProcessor(traceDir, service));
  }
  if (otlpEndpoint !== undefined) diag.setLogger(exportLog(), DiagLogLevel.WARN);
  if (otlpEndpoint !== undefined) spanProcessors.push(await otlpProcessor(otlpEndpoint));
  // No detectors: host and process facts cost start-up time, and names of machines are nobody's business.
  const resource = resourceFromAttributes({
    'service.name': Promise.resolve(service).then((name) => `faultline-${name}`),
    'service.instance.id': Promise.resolve(service).then((name) => `${name}-${process.pid}`),
  });
  const provider = new TracerProvider({ resource, spanProcessors });
  trace.setGlobalTracerProvider(provider);
  return provider;
}

/** What OpenTelemetry has to say, above all about a collector that does not answer, as our log lines. */
function exportLog() {
  const { debug, info, warn, error } = logger('telemetry');
  return {
    verbose: (message: string) => debug(message),
    debug: (message: string) => debug(message),
    info: (message: string) => info(message),
    warn: (message: string) => warn(message),
    error: (message: string) => error(message),
  };
}

async function spanFileProcessor(traceDir: string, service: string | Promise<string>): Promise<SpanProcessor> {
  const { SpanFileProcessor } = await import('./span-file.ts');
  try {
    return new SpanFileProcessor(traceDir, service);
  } catch (error) {
    throw new ConfigError(`FAULTLINE_TRACE_DIR=${traceDir} cannot be written to: ${String(error)}`);
  }
}

async function otlpProcessor(endpoint: string): Promise<SpanProcessor> {
  const { BatchSpanProcessor } = await import('@opentelemetry/sdk-trace');
  const exporter = await otlpExporter(endpoint, process.env.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/protobuf');
  return new BatchSpanProcessor({ exporter, scheduledDelayMillis: EXPORT_INTERVAL_MS });
}

async function otlpExporter(endpoint: string, protocol: string) {
  switch (protocol) {
    case 'grpc': {
      const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-grpc');
      return new OTLPTraceExporter({ url: endpoint, timeoutMillis: EXPORT_TIMEOUT_MS });
    }
    case 'http/protobuf': {
      const { OTLPTraceExporter } = await import('@opentelemetry/exporter-trace-otlp-proto');
      return new OTLPTraceExporter({
        url: `${endpoint.replace(/\/$/, '')}/v1/traces`,
        timeoutMillis: EXPORT_TIMEOUT_MS,
      });
    }
    default:
      throw new ConfigError(`OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} is not usable: take grpc or http/protobuf`);
  }
}
