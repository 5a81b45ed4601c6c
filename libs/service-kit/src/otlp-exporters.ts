import { ConfigError } from './config.ts';

/** A collector that does not answer must not hold up a process that wants to exit. */
const EXPORT_TIMEOUT_MS = 3000;

/** How a collector is spoken to. */
export type OtlpProtocol = 'grpc' | 'http/protobuf';

/** @throws ConfigError for a protocol other than grpc and http/protobuf. */
export function otlpProtocol(named = process.env.OTEL_EXPORTER_OTLP_PROTOCOL): OtlpProtocol {
  const protocol = named || 'http/protobuf';
  if (protocol === 'grpc' || protocol === 'http/protobuf') return protocol;
  throw new ConfigError(`OTEL_EXPORTER_OTLP_PROTOCOL=${protocol} is not usable: take grpc or http/protobuf`);
}

/** Where a signal goes: gRPC has one address for all, HTTP a path for each. */
const optionsOf = (endpoint: string, protocol: OtlpProtocol, signal: 'traces' | 'metrics') => ({
  url: protocol === 'grpc' ? endpoint : `${endpoint.replace(/\/$/, '')}/v1/${signal}`,
  timeoutMillis: EXPORT_TIMEOUT_MS,
});

/** Sends spans to an OTLP collector. Each exporter is loaded when it is wanted. */
export async function traceExporter(endpoint: string, protocol: OtlpProtocol) {
  const { OTLPTraceExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-trace-otlp-grpc')
      : await import('@opentelemetry/exporter-trace-otlp-proto');
  return new OTLPTraceExporter(optionsOf(endpoint, protocol, 'traces'));
}

/** Sends metrics to an OTLP collector. */
export async function metricExporter(endpoint: string, protocol: OtlpProtocol) {
  const { OTLPMetricExporter } =
    protocol === 'grpc'
      ? await import('@opentelemetry/exporter-metrics-otlp-grpc')
      : await import('@opentelemetry/exporter-metrics-otlp-proto');
  return new OTLPMetricExporter(optionsOf(endpoint, protocol, 'metrics'));
}
