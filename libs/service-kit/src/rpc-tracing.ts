import { type Metadata, status as Status } from '@grpc/grpc-js';
import {
  type Context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  type Tracer,
} from '@opentelemetry/api';

// OpenTelemetry semantic conventions for RPC (stable as of semantic-conventions 1.45), kept here by name because the
// package that exports them costs every service its import time.
const RPC_SYSTEM_NAME = 'rpc.system.name';
const RPC_METHOD = 'rpc.method';
const RPC_RESPONSE_STATUS_CODE = 'rpc.response.status_code';
const SERVER_ADDRESS = 'server.address';
const SERVER_PORT = 'server.port';
const ERROR_TYPE = 'error.type';

/** Status codes for which a server is to blame; the others are answers that a client asked for. */
const SERVER_FAULTS: ReadonlySet<Status> = new Set([
  Status.UNKNOWN,
  Status.DEADLINE_EXCEEDED,
  Status.UNIMPLEMENTED,
  Status.INTERNAL,
  Status.UNAVAILABLE,
  Status.DATA_LOSS,
]);

const metadataSetter: TextMapSetter<Metadata> = {
  set: (metadata, key, value) => metadata.set(key, value),
};

const metadataGetter: TextMapGetter<Metadata> = {
  keys: (metadata) => Object.keys(metadata.getMap()),
  get: (metadata, key) => metadata.get(key).map(String),
};

/** Writes the context's trace (W3C traceparent) into a call's metadata. */
export function injectTrace(context: Context, metadata: Metadata): void {
  propagation.inject(context, metadata, metadataSetter);
}

/** The caller's trace context as found in a call's metadata. */
export function extractTrace(metadata: Metadata): Context {
  return propagation.extract(ROOT_CONTEXT, metadata, metadataGetter);
}

/** Starts the span of one call: `package.Service/Method`. */
export function startRpcSpan(
  tracer: Tracer,
  kind: SpanKind.CLIENT | SpanKind.SERVER,
  fullMethod: string,
  address: ServerAddress,
  parent: Context,
): Span {
  return tracer.startSpan(
    fullMethod,
    {
      kind,
      attributes: {
        [RPC_SYSTEM_NAME]: 'grpc',
        [RPC_METHOD]: fullMethod,
        [SERVER_ADDRESS]: address.host,
        [SERVER_PORT]: address.port,
      },
    },
    parent,
  );
}

/** Ends the span of one call with its status. */
export function endRpcSpan(span: Span, kind: SpanKind.CLIENT | SpanKind.SERVER, status: Status, message: string): void {
  const name = Status[status];
  span.setAttribute(RPC_RESPONSE_STATUS_CODE, name);
  const failed = kind === SpanKind.CLIENT ? status !== Status.OK : SERVER_FAULTS.has(status);
  if (failed) {
    span.setAttribute(ERROR_TYPE, name);
    span.setStatus({ code: SpanStatusCode.ERROR, message });
  }
  span.end();
}

export interface ServerAddress {
  readonly host: string;
  readonly port: number | undefined;
}

/** Host and port of a gRPC target: `127.0.0.1:5000`, `[::1]:5000`, `dns:///inference:5000`. */
export function parseAddress(target: string): ServerAddress {
  const authority = target.replace(/^(dns|ipv4|ipv6|unix):(\/\/[^/]*\/)?/, '');
  const match = /^(.*?):(\d+)$/.exec(authority);
  const host = (match?.[1] ?? authority).replace(/^\[|\]$/g, '');
  return { host, port: match?.[2] === undefined ? undefined : Number(match[2]) };
}
