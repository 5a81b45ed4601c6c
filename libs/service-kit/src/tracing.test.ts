import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { attack, inference } from '@faultline/contracts';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { connect } from './client.ts';
import { FaultlineError } from './errors.ts';
import { HealthService } from './health.ts';
import { parseAddress } from './rpc-tracing.ts';
import type { SpanRecord } from './span-file.ts';
import { startTelemetry, tracer } from './telemetry.ts';
import {
  attackRequest,
  drain,
  opened,
  predictRequest,
  rejection,
  startAttack,
  startInference,
  step,
} from './test-services.ts';

/** A real OTLP/HTTP receiver: remembers what was posted to it. */
async function otlpReceiver() {
  const posts: { readonly url: string | undefined; readonly type: string | undefined; readonly body: Buffer }[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    posts.push({ url: request.url, type: request.headers['content-type'], body: Buffer.concat(chunks) });
    response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { posts, endpoint: `http://127.0.0.1:${port}`, [Symbol.dispose]: () => server.close() };
}

/** Runs `work` with telemetry on, and returns the spans that it left in the span file. */
async function spansOf(work: () => Promise<void>, otlpEndpoint?: string): Promise<SpanRecord[]> {
  const traceDir = await mkdtemp(join(tmpdir(), 'spans-'));
  try {
    const telemetry = await startTelemetry('test', { traceDir, otlpEndpoint });
    try {
      await work();
    } finally {
      await telemetry.shutdown();
    }
    const files = await readdir(traceDir);
    assert.deepEqual(files, [`test-${process.pid}.jsonl`]);
    const lines = (await readFile(join(traceDir, files[0] ?? ''), 'utf8')).trimEnd().split('\n');
    return lines.map((line) => JSON.parse(line));
  } finally {
    await rm(traceDir, { recursive: true });
  }
}

function spanNamed(spans: readonly SpanRecord[], kind: string, name: string): SpanRecord {
  const found = spans.filter((span) => span.kind === kind && span.name === name);
  assert.equal(found.length, 1, `${kind} ${name}: ${found.length} spans`);
  const [span] = found;
  assert.ok(span !== undefined);
  return span;
}

const ATTACK = 'faultline.attack.v1alpha1.AttackService/Attack';
const OPTIMIZE = 'faultline.inference.v1alpha1.InferenceService/Optimize';
const PREDICT = 'faultline.inference.v1alpha1.InferenceService/Predict';

test('one request over two hops is one trace, linked client to server to client to server, and exported over OTLP', async () => {
  using receiver = await otlpReceiver();
  let attackPort = 0;
  const spans = await spansOf(async () => {
    await using inner = await startInference({
      async *optimize(requests) {
        for await (const _ of requests) {
          tracer('test').startSpan('loop').end();
          yield opened(1);
        }
      },
    });
    using innerClient = connect(inference.InferenceServiceService, inner.address);
    await using outer = await startAttack({
      async *attack(_request, context) {
        yield attack.AttackResponse.fromPartial({});
        // After a yield the generator runs on behalf of whoever asks for more: the trace must still be this call's.
        const call = innerClient.optimize({ context });
        await call.send(step(1));
        await call.responses.next();
        call.end();
        await drain(call.responses);
        yield attack.AttackResponse.fromPartial({});
      },
    });
    attackPort = Number(outer.address.split(':')[1]);
    using client = connect(attack.AttackServiceService, outer.address);
    await tracer('test').startActiveSpan('request', async (span) => {
      assert.equal((await drain(client.attack(attackRequest))).error, undefined);
      span.end();
    });
  }, receiver.endpoint);

  const chain = [
    spanNamed(spans, 'INTERNAL', 'request'),
    spanNamed(spans, 'CLIENT', ATTACK),
    spanNamed(spans, 'SERVER', ATTACK),
    spanNamed(spans, 'CLIENT', OPTIMIZE),
    spanNamed(spans, 'SERVER', OPTIMIZE),
    spanNamed(spans, 'INTERNAL', 'loop'),
  ];
  assert.equal(spans.length, chain.length);
  for (const [index, span] of chain.entries()) {
    assert.equal(span.traceId, chain[0]?.traceId);
    assert.equal(span.parentSpanId, index === 0 ? '' : chain[index - 1]?.spanId, span.name);
    assert.equal(span.service, 'test');
    assert.match(span.startUnixNano, /^\d{19}$/);
    assert.ok(span.durationMs >= 0);
  }
  assert.deepEqual(chain[1]?.attributes, {
    'rpc.system.name': 'grpc',
    'rpc.method': ATTACK,
    'server.address': '127.0.0.1',
    'server.port': attackPort,
    'rpc.response.status_code': 'OK',
  });
  const posts = receiver.posts.filter(({ url }) => url === '/v1/traces');
  assert.ok(posts.length > 0);
  for (const { type } of receiver.posts) assert.equal(type, 'application/x-protobuf');
  const exported = Buffer.concat(posts.map(({ body }) => body));
  assert.ok(exported.includes('faultline-test'));
  for (const { spanId, traceId } of spans) {
    assert.ok(exported.includes(Buffer.from(spanId, 'hex')) && exported.includes(Buffer.from(traceId, 'hex')));
  }
});

test("a client's mistake marks its own span as failed, not the server's; a server fault marks both", async () => {
  const codes = ['not_found', 'unavailable'] as const;
  for (const code of codes) {
    const spans = await spansOf(async () => {
      await using server = await startInference({
        async predict() {
          throw new FaultlineError(code, 'because');
        },
      });
      using client = connect(inference.InferenceServiceService, server.address);
      await rejection(client.predict(predictRequest()));
    });
    const failed = { status: 'ERROR', statusMessage: 'because', errorType: code.toUpperCase() };
    const fine = { status: 'UNSET', statusMessage: undefined, errorType: undefined };
    for (const [kind, expected] of [
      ['CLIENT', failed],
      ['SERVER', code === 'unavailable' ? failed : fine],
    ] as const) {
      const { status, statusMessage, attributes } = spanNamed(spans, kind, PREDICT);
      assert.deepEqual({ status, statusMessage, errorType: attributes['error.type'] }, expected);
      assert.equal(attributes['rpc.response.status_code'], code.toUpperCase());
    }
  }
});

test('without anywhere to send spans, the trace of a caller is passed on all the same', async () => {
  await using _telemetry = await startTelemetry('test');
  const seen: (string | undefined)[] = [];
  await using inner = await startInference({
    async describe() {
      seen.push(trace.getActiveSpan()?.spanContext().traceId);
      return inference.DescribeResponse.fromPartial({});
    },
  });
  using client = connect(inference.InferenceServiceService, inner.address);
  const traceId = '0af7651916cd43dd8448eb211c80319c';
  const parent = trace.wrapSpanContext({ traceId, spanId: 'b7ad6b7169203331', traceFlags: 1 });
  await context.with(trace.setSpan(ROOT_CONTEXT, parent), () => client.describe({ context: undefined }));
  assert.deepEqual(seen, [traceId]);
});

test('a server makes no spans for health checks', async () => {
  const spans = await spansOf(async () => {
    await using server = await startInference();
    using health = connect(HealthService, server.address);
    await tracer('test').startActiveSpan('probe', async (span) => {
      await health.check({ service: '' });
      span.end();
    });
  });
  assert.deepEqual(spans.map(({ kind }) => kind).sort(), ['CLIENT', 'INTERNAL']);
});

test('the duration of every call is exported as a metric, with its method and status', async () => {
  using receiver = await otlpReceiver();
  await spansOf(async () => {
    await using server = await startInference();
    using client = connect(inference.InferenceServiceService, server.address);
    await client.describe({ context: undefined });
  }, receiver.endpoint);
  const exported = receiver.posts.filter(({ url }) => url === '/v1/metrics').map(({ body }) => body.toString('latin1'));
  const text = exported.join();
  for (const part of ['rpc.server.call.duration', 'faultline.inference.v1alpha1.InferenceService/Describe', 'OK'])
    assert.ok(text.includes(part), part);
});

test('an unknown OTLP protocol is a configuration error', async (t) => {
  t.after(() => delete process.env.OTEL_EXPORTER_OTLP_PROTOCOL);
  process.env.OTEL_EXPORTER_OTLP_PROTOCOL = 'carrier-pigeon';
  await assert.rejects(startTelemetry('test', { otlpEndpoint: 'http://127.0.0.1:1' }), {
    name: 'ConfigError',
    message: /carrier-pigeon is not usable: take grpc or http\/protobuf/,
  });
});

test('host and port are found in every form of target', () => {
  const forms = [
    '127.0.0.1:5000',
    '[::1]:5000',
    'inference:5000',
    'dns:///inference:5000',
    'dns:inference:5000',
    'ipv4:10.0.0.1:5000',
  ];
  const hosts = ['127.0.0.1', '::1', 'inference', 'inference', 'inference', '10.0.0.1'];
  assert.deepEqual(
    forms.map(parseAddress),
    hosts.map((host) => ({ host, port: 5000 })),
  );
  assert.deepEqual(parseAddress('dns://8.8.8.8/inference'), { host: 'inference', port: undefined });
});
