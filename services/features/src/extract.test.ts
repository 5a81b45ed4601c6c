import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { decodeTensor, features } from '@faultline/contracts';
import { encodeWav } from '@faultline/media';
import { type Client, commonConfig, connect, type RunningServer } from '@faultline/service-kit';
import { featuresConfig } from './config.ts';
import { startFeatures } from './start-features.ts';
import { uploadedMedia } from './uploaded-media.ts';

const RATE_HZ = 16_000;
const SECONDS = 10;
const INPUTS = [
  { name: 'sound', kind: { $case: 'waveform', value: { sampleRateHz: RATE_HZ, samples: RATE_HZ } } },
] satisfies features.ExtractRequest['inputs'];
const PIECE_BYTES = 50_000;

/** Each second of the sound has an amplitude of its own. */
const level = (second: number) => (second + 1) / 20;
const media = Buffer.from(
  encodeWav(
    Float32Array.from({ length: SECONDS * RATE_HZ }, (_, index) => level(Math.floor(index / RATE_HZ))),
    RATE_HZ,
  ),
);

function soundOf({ inputs }: Pick<features.ExtractResponse, 'inputs'>): Float32Array {
  const [input] = inputs;
  assert.equal(input?.name, 'sound');
  assert.ok(input.tensor);
  const { data } = decodeTensor(input.tensor);
  assert.ok(data instanceof Float32Array);
  return data;
}

const near = (value: number | undefined, expected: number) => Math.abs((value ?? 0) - expected) < 1e-4;

describe('extraction over a connection', () => {
  let spoolDir: string;
  let server: RunningServer;
  let client: Client<typeof features.FeaturesServiceService>;
  before(async () => {
    spoolDir = await mkdtemp(join(tmpdir(), 'features-spool-'));
    const config = { ...commonConfig.parse({}), ...featuresConfig.parse({ decoders: 1, uploadLimitMib: 1, spoolDir }) };
    server = await startFeatures(config);
    client = connect(features.FeaturesServiceService, server.address);
  });
  after(async () => {
    client.close();
    await server.close();
    assert.deepEqual(await readdir(spoolDir), []);
    await rm(spoolDir, { recursive: true });
  });

  /** Sends the messages, ends, and returns all responses. */
  async function stream(messages: readonly features.ExtractStreamRequest[]): Promise<features.ExtractStreamResponse[]> {
    const call = client.extractStream();
    const sent = (async () => {
      for (const message of messages) await call.send(message);
      call.end();
    })();
    const responses: features.ExtractStreamResponse[] = [];
    // The status says more than a send that fails because of it.
    sent.catch(() => {});
    for await (const response of call.responses) responses.push(response);
    return responses;
  }

  const open = (windows: features.Window[] = []): features.ExtractStreamRequest => ({
    kind: { $case: 'open', value: { context: undefined, inputs: INPUTS, windows } },
  });
  const pieces = (bytes: Buffer): features.ExtractStreamRequest[] =>
    Array.from({ length: Math.ceil(bytes.length / PIECE_BYTES) }, (_, index) => ({
      kind: { $case: 'media', value: bytes.subarray(index * PIECE_BYTES, (index + 1) * PIECE_BYTES) },
    }));

  it('cuts a window out of longer media', async () => {
    const request = { context: undefined, media, inputs: INPUTS };
    const cut = soundOf(await client.extract({ ...request, window: { startSeconds: 3.5, durationSeconds: 0.75 } }));
    assert.ok(near(cut[0], level(3)) && near(cut[7999], level(3)) && near(cut[8000], level(4)));
    assert.ok(near(cut[11_999], level(4)) && cut[12_000] === 0);
    await assert.rejects(client.extract({ ...request, window: { startSeconds: 11, durationSeconds: 0 } }), {
      code: 'invalid_argument',
      violations: [
        { field: 'window.start_seconds', description: 'the media ends before 11 s, where the window begins' },
      ],
    });
  });

  it('takes media in pieces, and answers for each window in order', async () => {
    const windows = [4, 0, 8].map((startSeconds) => ({ startSeconds, durationSeconds: 0 }));
    const responses = await stream([open(windows), ...pieces(media)]);
    assert.deepEqual(
      responses.map(({ window }) => window),
      [0, 1, 2],
    );
    for (const [index, response] of responses.entries()) {
      assert.ok(near(soundOf(response)[100], level(windows[index]?.startSeconds ?? -1)));
      assert.equal(response.mediaSha256, createHash('sha256').update(media).digest('hex'));
    }
  });

  it('gives for a stream without windows what it gives for a message', async () => {
    const [streamed] = await stream([open(), ...pieces(media)]);
    const request = { context: undefined, media, inputs: INPUTS, window: undefined };
    assert.ok(streamed);
    assert.deepEqual(soundOf(streamed), soundOf(await client.extract(request)));
  });

  const refused: Readonly<Record<string, readonly [readonly features.ExtractStreamRequest[], string, RegExp]>> = {
    'media before Open': [pieces(media), 'kind', /must be open/],
    'Open twice': [[open(), open()], 'kind', /must be media/],
    'no media': [[open()], 'media', /is empty/],
    'nothing at all': [[], 'kind', /must be open/],
    'more than the limit': [[open(), ...pieces(Buffer.alloc(1024 * 1024 + 1))], 'media', /more than 1048576 bytes/],
    'no media file': [[open(), ...pieces(Buffer.alloc(1000))], 'media', /no container/],
    'a window behind the end': [
      [open([0, 60].map((startSeconds) => ({ startSeconds, durationSeconds: 0 }))), ...pieces(media)],
      'open.windows[1].start_seconds',
      /ends before 60 s/,
    ],
  };
  for (const [what, [messages, field, message]] of Object.entries(refused)) {
    it(`refuses ${what}, and leaves nothing in the spool`, async () => {
      await assert.rejects(
        stream(messages),
        (error: { code?: string; message?: string; violations?: { field: string }[] }) => {
          assert.equal(error.code, 'invalid_argument');
          assert.equal(error.violations?.[0]?.field, field);
          assert.match(error.message ?? '', message);
          return true;
        },
      );
      const [folder] = await readdir(spoolDir);
      assert.ok(folder);
      assert.deepEqual(await readdir(join(spoolDir, folder)), []);
    });
  }
});

describe('uploadedMedia', () => {
  it('gives up on a client that falls silent', async () => {
    const silent: AsyncIterator<features.ExtractStreamRequest> = { next: () => new Promise(() => {}) };
    await assert.rejects(uploadedMedia(silent, 1).next(), {
      code: 'deadline_exceeded',
      message: /no media came for 1 ms/,
    });
  });
});
