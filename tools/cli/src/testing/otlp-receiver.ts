import { once } from 'node:events';
import { createServer } from 'node:http';
import { BinaryReader } from '@bufbuild/protobuf/wire';

/** A span as it arrived over OTLP. */
export interface ReceivedSpan {
  /** `service.name` and `service.instance.id` of the process that sent it. */
  readonly service: string;
  readonly instance: string;
  readonly traceId: string;
  readonly spanId: string;
  /** Empty for the first span of a trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly kind: 'INTERNAL' | 'SERVER' | 'CLIENT' | 'OTHER';
}

/** An OTLP/HTTP receiver that keeps the spans which arrive. */
export interface OtlpReceiver extends Disposable {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const known = request.method === 'POST' && request.url === '/v1/traces';
    if (known) spans.push(...decodeRequest(Buffer.concat(chunks)));
    response.writeHead(known ? 200 : 404, { 'content-type': 'application/x-protobuf' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('the receiver has no port');
  return { endpoint: `http://127.0.0.1:${address.port}`, spans, [Symbol.dispose]: () => server.close() };
}

// opentelemetry/proto/collector/trace/v1/trace_service.proto and what it includes; only the fields that tests look at.

type Field = (reader: BinaryReader) => void;

function readMessage(bytes: Uint8Array, fields: Readonly<Record<number, Field>>): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const field = fields[number];
    if (field === undefined) reader.skip(wireType, number);
    else field(reader);
  }
}

function decodeRequest(bytes: Uint8Array): ReceivedSpan[] {
  const spans: ReceivedSpan[] = [];
  readMessage(bytes, { 1: (reader) => spans.push(...decodeResourceSpans(reader.bytes())) });
  return spans;
}

function decodeResourceSpans(bytes: Uint8Array): ReceivedSpan[] {
  const resource = new Map<string, string>();
  const spans: Omit<ReceivedSpan, 'service' | 'instance'>[] = [];
  readMessage(bytes, {
    1: (reader) => readMessage(reader.bytes(), { 1: (inner) => readAttribute(inner.bytes(), resource) }),
    2: (reader) => readMessage(reader.bytes(), { 2: (inner) => spans.push(decodeSpan(inner.bytes())) }),
  });
  const service = resource.get('service.name') ?? '';
  const instance = resource.get('service.instance.id') ?? '';
  return spans.map((span) => ({ service, instance, ...span }));
}

function readAttribute(bytes: Uint8Array, into: Map<string, string>): void {
  let key = '';
  readMessage(bytes, {
    1: (reader) => {
      key = reader.string();
    },
    2: (reader) => readMessage(reader.bytes(), { 1: (inner) => into.set(key, inner.string()) }),
  });
}

const KINDS: Readonly<Record<number, ReceivedSpan['kind']>> = { 1: 'INTERNAL', 2: 'SERVER', 3: 'CLIENT' };

function decodeSpan(bytes: Uint8Array): Omit<ReceivedSpan, 'service' | 'instance'> {
  const hex = (reader: BinaryReader) => Buffer.from(reader.bytes()).toString('hex');
  let [traceId, spanId, parentSpanId, name, kind] = ['', '', '', '', 0];
  readMessage(bytes, {
    1: (reader) => {
      traceId = hex(reader);
    },
    2: (reader) => {
      spanId = hex(reader);
    },
    4: (reader) => {
      parentSpanId = hex(reader);
    },
    5: (reader) => {
      name = reader.string();
    },
    6: (reader) => {
      kind = reader.int32();
    },
  });
  return { traceId, spanId, parentSpanId, name, kind: KINDS[kind] ?? 'OTHER' };
}
