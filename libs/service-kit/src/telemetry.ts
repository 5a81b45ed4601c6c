import { context, DiagLogLevel, diag, metrics, propagation, type Tracer, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import type { SpanProcessor } from '@opentelemetry/sdk-trace';
import { ConfigError } from './config.ts';
import { logger } from './log.ts';
import { metricExporter, otlpProtocol, traceExporter } from './otlp-exporters.ts';

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

const SPAN_INTERVAL_MS = 1000;

/** As often as dashboards usually look. */
const METRIC_INTERVAL_MS = 10_000;

/**
 * Starts tracing and metrics for this process, once. The trace context is passed on in any case; spans are recorded only when
 * they go somewhere: to an OTLP endpoint, to a span file, or to both. Metrics go to an OTLP endpoint. The SDK is loaded only
 * then. Make instruments afterwards: those made before record nothing.
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
  if (otlpEndpoint !== undefined) diag.setLogger(exportLog(), DiagLogLevel.WARN);
  const [spans, measurements] = await Promise.all([
    startTracing(serviceName, traceDir, otlpEndpoint),
    startMetrics(serviceName, otlpEndpoint),
  ]);
  const shutdown = async () => {
    // A failed export is no reason to fail a shutdown; what could be written is written.
    await Promise.allSettled([spans?.shutdown(), measurements?.shutdown()]);
    trace.disable();
    metrics.disable();
    diag.disable();
    context.disable();
    propagation.disable();
  };
  return { shutdown, [Symbol.asyncDispose]: shutdown };
}

async function startTracing(
  service: string | Promise<string>,
  traceDir: string | undefined,
  otlpEndpoint: string | undefined,
) {
  if (traceDir === undefined && otlpEndpoint === undefined) return undefined;
  const { TracerProvider } = await import('@opentelemetry/sdk-trace');
  const spanProcessors: SpanProcessor[] = [];
  if (traceDir !== undefined) {
    spanProcessors.push(await spanFileProcessor(traceDir, service));
  }
  if (otlpEndpoint !== undefined) spanProcessors.push(await otlpProcessor(otlpEndpoint));
  const provider = new TracerProvider({ resource: await resourceOf(service), spanProcessors });
  trace.setGlobalTracerProvider(provider);
  return provider;
}

async function startMetrics(service: string | Promise<string>, otlpEndpoint: string | undefined) {
  if (otlpEndpoint === undefined) return undefined;
  const { MeterProvider, PeriodicExportingMetricReader } = await import('@opentelemetry/sdk-metrics');
  const exporter = await metricExporter(otlpEndpoint, otlpProtocol());
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: METRIC_INTERVAL_MS });
  const provider = new MeterProvider({ resource: await resourceOf(service), readers: [reader] });
  metrics.setGlobalMeterProvider(provider);
  return provider;
}

/** No detectors: host and process facts cost start-up time, and names of machines are nobody's business. */
async function resourceOf(service: string | Promise<string>) {
  const { resourceFromAttributes } = await import('@opentelemetry/resources');
  return resourceFromAttributes({
    'service.name': Promise.resolve(service).then((name) => `faultline-${name}`),
    'service.instance.id': Promise.resolve(service).then((name) => `${name}-${process.pid}`),
  });
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
  const exporter = await traceExporter(endpoint, otlpProtocol());
  return new BatchSpanProcessor({ exporter, scheduledDelayMillis: SPAN_INTERVAL_MS });
}
