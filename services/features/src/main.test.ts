import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { decodeTensor, features } from '@faultline/contracts';
import { encodeClip } from '@faultline/media';
import { connect, type SpanRecord } from '@faultline/service-kit';
import { isRunning } from './running-process.ts';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
const INPUTS = [
  { name: 'sound', kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: 4000 } } },
  { name: 'sight', kind: { $case: 'frames', value: { frameRateHz: 8, frames: 2, height: 8, width: 8 } } },
] satisfies features.ExtractRequest['inputs'];
const POLL_MS = 20;

interface Service {
  readonly process: ChildProcess;
  readonly address: string;
}

async function startService(environment: Readonly<Record<string, string>>): Promise<Service> {
  const child = spawn(process.execPath, [MAIN], {
    env: { FAULTLINE_LOG_LEVEL: 'error', ...environment },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const { ready } = JSON.parse(line) as { ready: { address: string } };
    return { process: child, address: ready.address };
  }
  throw new Error('the service ended before it was ready');
}

async function childrenOf(pid: number | undefined): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
  return text.split(' ').filter(Boolean).map(Number);
}

async function readLines(stream: Readable): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of createInterface({ input: stream })) lines.push(line);
  return lines;
}

/** Reads the finished spans of a service. */
async function readSpans(folder: string): Promise<SpanRecord[]> {
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => text.trim().split('\n')).map((line) => JSON.parse(line) as SpanRecord);
}

describe('the features process', () => {
  let media: Buffer;
  before(async () => {
    const clip = await encodeClip({
      waveform: new Float32Array(4000),
      sampleRateHz: 16_000,
      frames: new Uint8Array(2 * 16 * 16 * 3).fill(100),
      frameRateHz: 8,
      width: 16,
      height: 16,
    });
    media = Buffer.from(clip);
  });

  describe('while it serves', () => {
    let folder: string;
    let service: Service;
    before(async () => {
      folder = await mkdtemp(join(tmpdir(), 'features-'));
      service = await startService({ FAULTLINE_DECODERS: '1', FAULTLINE_TRACE_DIR: folder });
    });
    after(async () => {
      service.process.kill('SIGKILL');
      await rm(folder, { recursive: true });
    });

    it('extracts what is asked, refuses what it cannot decode, and traces sizes only', async () => {
      const client = connect(features.FeaturesServiceService, service.address);
      const response = await client.extract({ context: undefined, media, inputs: INPUTS, window: undefined });
      const garbage = { context: undefined, media: Buffer.from('secret words'), inputs: INPUTS, window: undefined };
      await assert.rejects(client.extract(garbage), {
        code: 'invalid_argument',
        message: /^media: .*no container that can be read/,
      });
      client.close();

      assert.equal(response.mediaSha256, createHash('sha256').update(media).digest('hex'));
      const tensors = response.inputs.map(({ name, tensor }) => {
        assert.ok(tensor);
        const { dims, data } = decodeTensor(tensor);
        return { name, dims, type: data.constructor.name };
      });
      assert.deepEqual(tensors, [
        { name: 'sound', dims: [4000], type: 'Float32Array' },
        { name: 'sight', dims: [2, 3, 8, 8], type: 'Uint8Array' },
      ]);

      const exited = once(service.process, 'exit');
      service.process.kill('SIGTERM');
      assert.deepEqual(await exited, [0, null]);
      const spans = await readSpans(folder);
      const decodings = spans.filter(({ name }) => name === 'features.decode');
      assert.deepEqual(
        decodings.map(({ attributes }) => attributes),
        [
          {
            'faultline.media.bytes': media.length,
            'faultline.inputs': 2,
            'faultline.output.bytes': 16_000 + 2 * 3 * 8 * 8,
          },
          { 'faultline.media.bytes': garbage.media.length, 'faultline.inputs': 2 },
        ],
      );
      const servers = new Set(spans.filter(({ name }) => name.endsWith('/Extract')).map(({ spanId }) => spanId));
      assert.ok(decodings.every(({ parentSpanId }) => parentSpanId !== undefined && servers.has(parentSpanId)));
      assert.ok(!JSON.stringify(spans).includes('secret'));
    });
  });

  it('takes its decoders along when it is killed', async () => {
    const { process: service } = await startService({ FAULTLINE_DECODERS: '2' });
    const decoders = await childrenOf(service.pid);
    assert.equal(decoders.length, 2);
    service.kill('SIGKILL');
    for (const decoder of decoders) while (isRunning(decoder)) await delay(POLL_MS);
  });

  it('refuses a configuration that makes no sense, in one line', async () => {
    const child = spawn(process.execPath, [MAIN], {
      env: { FAULTLINE_DECODERS: '0' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const [lines, [code]] = await Promise.all([readLines(child.stderr), once(child, 'exit')]);
    assert.equal(code, 2);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', /FAULTLINE_DECODERS="0"/);
  });
});
