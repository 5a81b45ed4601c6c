import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { encodeClip, encodeWav, type InputSpecification } from '@faultline/media';
import { FaultlineError, setLogLevel } from '@faultline/service-kit';
import fc from 'fast-check';
import { DecoderPool } from './decoder-pool.ts';
import { isRunning } from './running-process.ts';

const SPECIFICATIONS: readonly InputSpecification[] = [
  { kind: 'waveform', sampleRateHz: 16_000, samples: 8000 },
  { kind: 'frames', frameRateHz: 8, frames: 4, height: 16, width: 16 },
];
const PATIENT = new AbortController().signal;
const OPTIONS = { size: 1, timeLimitMs: 30_000, memoryLimitMib: 256 };

function signalAll(pool: DecoderPool, signal: NodeJS.Signals): void {
  for (const pid of pool.pids) process.kill(pid, signal);
}

describe('DecoderPool', () => {
  let media: Uint8Array;
  let pool: DecoderPool;
  let folder: string;
  let files = 0;
  /** Hands the media to a decoder before it returns: the signals that tests send next meet it there. */
  const decode = (bytes: Uint8Array, from = pool, signal = PATIENT) => {
    const path = join(folder, String(files++));
    writeFileSync(path, bytes);
    return decodeFile(path, from, signal);
  };
  const decodeFile = (path: string, from = pool, signal = PATIENT) =>
    from.decode({ path, specifications: SPECIFICATIONS, window: { startSeconds: 0 } }, signal);

  before(async () => {
    setLogLevel('error');
    folder = await mkdtemp(join(tmpdir(), 'decoder-pool-'));
    media = await encodeClip({
      waveform: Float32Array.from({ length: 8000 }, (_, index) => Math.sin(index / 10)),
      sampleRateHz: 16_000,
      frames: new Uint8Array(4 * 32 * 32 * 3).fill(200),
      frameRateHz: 8,
      width: 32,
      height: 32,
    });
    pool = await DecoderPool.start(OPTIONS);
  });
  after(async () => {
    await pool[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
    setLogLevel('info');
  });

  it('decodes more requests than it has processes, each to the same inputs', async () => {
    const [first, ...others] = await Promise.all([decode(media), decode(media), decode(media)]);
    assert.deepEqual(
      first?.map(({ dims }) => dims),
      [[8000], [4, 3, 16, 16]],
    );
    for (const other of others) assert.deepEqual(other, first);
  });

  it('refuses what is no media, and goes on', async () => {
    await assert.rejects(decode(Buffer.from('no media')), (error) => {
      assert.ok(error instanceof FaultlineError);
      assert.equal(error.code, 'invalid_argument');
      assert.equal(error.violations[0]?.field, 'media');
      assert.match(error.message, /in no container that can be read/);
      return true;
    });
    assert.equal((await decode(media)).length, 2);
  });

  it('fails one request when its decoder is killed, and serves the next', async () => {
    signalAll(pool, 'SIGSTOP');
    const doomed = decode(media);
    const next = decode(media);
    signalAll(pool, 'SIGKILL');
    await assert.rejects(doomed, { code: 'unavailable', message: /SIGKILL.*try again/ });
    assert.equal((await next).length, 2);
  });

  it('blames the media when its decoder crashes', async () => {
    signalAll(pool, 'SIGSTOP');
    const doomed = decode(media);
    signalAll(pool, 'SIGSEGV');
    signalAll(pool, 'SIGCONT');
    await assert.rejects(doomed, { code: 'invalid_argument', message: /crashes its decoder \(SIGSEGV\)/ });
    assert.equal((await decode(media)).length, 2);
  });

  it('stops waiting once the caller is gone, before and while it decodes', async () => {
    const gone = new FaultlineError('cancelled', 'gone');
    signalAll(pool, 'SIGSTOP');
    const running = new AbortController();
    const waiting = new AbortController();
    const requests = [decode(media, pool, running.signal), decode(media, pool, waiting.signal)];
    running.abort(gone);
    waiting.abort(gone);
    for (const request of requests) await assert.rejects(request, gone);
    signalAll(pool, 'SIGCONT');
    assert.equal((await decode(media)).length, 2);
  });

  it('ends what takes too long, and blames the media', async () => {
    await using hasty = await DecoderPool.start({ ...OPTIONS, timeLimitMs: 50 });
    signalAll(hasty, 'SIGSTOP');
    await assert.rejects(decode(media, hasty), { code: 'invalid_argument', message: /longer than 50 ms/ });
  });

  it('refuses media that takes more memory than it may, and goes on', async () => {
    await using small = await DecoderPool.start({ ...OPTIONS, memoryLimitMib: 1 });
    await assert.rejects(decode(encodeWav(new Float32Array(30_000_000), 16_000), small), { code: 'invalid_argument' });
    assert.equal((await decode(media, small)).length, 2);
  });

  it('gives inputs or a refusal for any damage to a clip, never anything else', async () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(damage, fc.nat(), async (changes, cut) => {
        const damaged = Uint8Array.from(media);
        for (const [position, value] of changes) damaged[position % damaged.length] = value;
        const length = cut % 2 === 0 ? damaged.length : cut % damaged.length;
        await decode(damaged.subarray(0, length)).then(
          (inputs) => assert.equal(inputs.length, 2),
          (error: unknown) => {
            assert.ok(error instanceof FaultlineError);
            assert.equal(error.code, 'invalid_argument', error.message);
          },
        );
      }),
      { numRuns: 100, seed: 1 },
    );
  });

  it('leaves no process behind', async () => {
    const closing = await DecoderPool.start({ ...OPTIONS, size: 2 });
    const { pids } = closing;
    assert.equal(pids.length, 2);
    await closing[Symbol.asyncDispose]();
    assert.deepEqual(pids.filter(isRunning), []);
    assert.equal(closing.ready, false);
    await assert.rejects(decode(media, closing), { code: 'unavailable' });
  });
});
