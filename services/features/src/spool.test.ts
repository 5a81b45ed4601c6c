import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Spool } from './spool.ts';

describe('Spool', () => {
  let parent: string;
  const stored = async () => {
    const [folder] = await readdir(parent);
    assert.ok(folder);
    return readdir(join(parent, folder));
  };
  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'spool-'));
  });
  after(() => rm(parent, { recursive: true }));

  it('keeps pieces as one file with its digest until it is disposed of', async () => {
    await using spool = await Spool.open({ parent, capacityBytes: 100 });
    {
      await using media = await spool.store([Buffer.from('one '), Buffer.from('two')], 7);
      assert.equal(await readFile(media.path, 'utf8'), 'one two');
      assert.equal(media.size, 7);
      assert.equal(media.sha256, createHash('sha256').update('one two').digest('hex'));
    }
    assert.deepEqual(await stored(), []);
  });

  it('refuses media that is too large, and leaves nothing', async () => {
    await using spool = await Spool.open({ parent, capacityBytes: 100 });
    await assert.rejects(spool.store([Buffer.alloc(5), Buffer.alloc(5)], 9), {
      code: 'invalid_argument',
      message: /more than 9 bytes/,
    });
    assert.deepEqual(await stored(), []);
  });

  it('refuses what it has no room for, until there is room again', async () => {
    await using spool = await Spool.open({ parent, capacityBytes: 100 });
    const first = await spool.store([Buffer.alloc(60)], 100);
    await assert.rejects(spool.store([Buffer.alloc(30), Buffer.alloc(30)], 100), {
      code: 'resource_exhausted',
      message: /90 bytes of media are waiting.*at most 100.*try again later/,
    });
    await first[Symbol.asyncDispose]();
    await using second = await spool.store([Buffer.alloc(100)], 100);
    assert.equal(second.size, 100);
  });

  it('removes what processes left that were killed, and nothing of those that live or of other machines', async () => {
    // No system has that many processes.
    const killed = `faultline-features-${hostname()}-99999999-abc`;
    const kept = [`faultline-features-${hostname()}-${process.pid}-abc`, 'faultline-features-elsewhere-99999999-abc'];
    for (const name of [killed, ...kept]) await mkdir(join(parent, name));
    await (await Spool.open({ parent, capacityBytes: 100 }))[Symbol.asyncDispose]();
    assert.deepEqual((await readdir(parent)).sort(), kept.sort());
    for (const name of kept) await rm(join(parent, name), { recursive: true });
  });

  it('leaves nothing of an upload that breaks off, nor of itself', async () => {
    {
      await using spool = await Spool.open({ parent, capacityBytes: 100 });
      const broken = async function* () {
        yield Buffer.alloc(10);
        throw new Error('gone');
      };
      await assert.rejects(spool.store(broken(), 100), /gone/);
      assert.deepEqual(await stored(), []);
    }
    assert.deepEqual(await readdir(parent), []);
  });
});
