import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { FolderStore, loadTensor, storeTensor } from './index.ts';

const run = promisify(execFile);
const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const ABSENT = sha256('nothing of this name');
const YEARS_AGO = new Date('2020-01-01');

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const read: T[] = [];
  for await (const item of items) read.push(item);
  return read;
}

const joined = async (pieces: AsyncIterable<Uint8Array>) => Buffer.concat(await all(pieces));
const listed = async (store: FolderStore) => (await all(store.list())).map((one) => one.sha256);

describe('a folder of artefacts', () => {
  let root: string;
  let store: FolderStore;
  before(async () => {
    root = await mkdtemp(join(tmpdir(), 'artefacts-'));
    store = await FolderStore.open(root);
  });
  after(() => rm(root, { recursive: true }));

  const pathOf = (name: string) => join(root, name.slice(0, 2), name);
  const incoming = () => readdir(join(root, 'incoming'));

  test('returns the bytes that were put, whole or in pieces, under their SHA-256', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 5 }), async (pieces) => {
        const whole = Buffer.concat(pieces);
        const expected = { sha256: sha256(whole), sizeBytes: whole.byteLength };
        assert.deepEqual(await store.put(pieces), expected);
        assert.deepEqual(await store.put(whole), expected);
        assert.deepEqual(Buffer.from(await store.read(expected.sha256)), whole);
        assert.deepEqual(await joined(store.stream(expected.sha256)), whole);
        assert.equal((await store.stat(expected.sha256))?.sizeBytes, whole.byteLength);
      }),
      { numRuns: 30, seed: 1 },
    );
    assert.deepEqual(await incoming(), []);
  });

  test('lists what it holds and forgets what is removed', async () => {
    const { sha256: name } = await store.put(Buffer.from('to be removed'));
    assert.ok((await listed(store)).includes(name));
    assert.equal(await store.remove(name), true);
    assert.equal(await store.remove(name), false);
    assert.equal(await store.stat(name), undefined);
    assert.ok(!(await listed(store)).includes(name));
    await assert.rejects(store.read(name), { name: 'ArtefactError', code: 'missing', message: new RegExp(name) });
    await assert.rejects(joined(store.stream(name)), { code: 'missing' });
  });

  test('a repeated put makes an artefact young again', async () => {
    for (const source of [Buffer.from('old'), [Buffer.from('o'), Buffer.from('ld')]]) {
      const { sha256: name } = await store.put(source);
      await utimes(pathOf(name), YEARS_AGO, YEARS_AGO);
      assert.deepEqual((await store.stat(name))?.lastPutAt, YEARS_AGO);
      await store.put(source);
      assert.ok(Number((await store.stat(name))?.lastPutAt) > Number(YEARS_AGO));
    }
  });

  test('notices bytes that are not what their name says', async () => {
    const { sha256: name } = await store.put(Buffer.from('as it was'));
    assert.equal((await stat(pathOf(name))).mode & 0o222, 0);
    await chmod(pathOf(name), 0o644);
    await writeFile(pathOf(name), 'as it is!');
    await assert.rejects(store.read(name), { code: 'damaged', message: /remove it and put it again/ });
    await assert.rejects(joined(store.stream(name)), { code: 'damaged' });
    await store.remove(name);
    await store.put(Buffer.from('as it was'));
    assert.equal(Buffer.from(await store.read(name)).toString(), 'as it was');
  });

  test('takes no name that leads out of the folder', async () => {
    for (const name of ['../../etc/passwd', ABSENT.toUpperCase(), ABSENT.slice(1), `${ABSENT}/`, '']) {
      await assert.rejects(store.read(name), { code: 'malformed' });
      await assert.rejects(store.stat(name), { code: 'malformed' });
      await assert.rejects(store.remove(name), { code: 'malformed' });
      await assert.rejects(joined(store.stream(name)), { code: 'malformed' });
    }
  });

  test('keeps nothing of a source that fails', async () => {
    async function* failing() {
      yield Buffer.from('half');
      throw new Error('the wire was cut');
    }
    await assert.rejects(store.put(failing()), /the wire was cut/);
    assert.deepEqual(await incoming(), []);
    assert.equal(await store.stat(sha256('half')), undefined);
  });

  test('clears away what dead processes left, but not what others are writing', async () => {
    await writeFile(join(root, 'incoming', 'left-behind'), 'x');
    await utimes(join(root, 'incoming', 'left-behind'), YEARS_AGO, YEARS_AGO);
    await writeFile(join(root, 'incoming', 'at-work'), 'x');
    await FolderStore.open(root);
    assert.deepEqual(await incoming(), ['at-work']);
    await rm(join(root, 'incoming', 'at-work'));
  });

  test('tensors travel as references', async () => {
    const tensor = { dims: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
    const message = await storeTensor(store, tensor);
    assert.equal(message.value?.$case, 'reference');
    assert.deepEqual(await loadTensor(store, message), tensor);
    assert.ok(message.value?.$case === 'reference');
    const short = { ...message, value: { ...message.value, value: { ...message.value.value, sizeBytes: 20 } } };
    await assert.rejects(loadTensor(store, short), { name: 'TensorError', message: /refers to 20 bytes .* has 24/ });
    await assert.rejects(loadTensor(store, { ...message, dims: [7] }), { message: /needs 28 bytes but holds 24/ });
    await store.remove(message.value.value.sha256);
    await assert.rejects(loadTensor(store, message), { code: 'missing' });
  });

  test('several processes put the same artefacts while one removes them', async () => {
    const count = 40;
    const script = fileURLToPath(new URL('./testing/put-many.ts', import.meta.url));
    const shared = join(root, 'shared');
    let over = false;
    const putting = Promise.all([1, 2, 3].map(() => run(process.execPath, [script, shared, String(count)]))).finally(
      () => {
        over = true;
      },
    );
    const remover = await FolderStore.open(shared);
    while (!over) {
      for await (const { sha256: name } of remover.list()) {
        // Whoever reads meets all of it or nothing.
        const bytes = await remover.read(name).catch((error: unknown) => {
          assert.ok(error instanceof Error && 'code' in error && error.code === 'missing');
        });
        if (bytes !== undefined) assert.equal(sha256(bytes), name);
        await remover.remove(name);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const names = (await putting).map(({ stdout }) => stdout.trim().split('\n'));
    for (const one of names) assert.deepEqual(one, names[0]);
    await run(process.execPath, [script, shared, String(count)]);
    const held = await listed(remover);
    assert.deepEqual(held.sort(), names[0]?.toSorted());
    assert.deepEqual(await readdir(join(shared, 'incoming')), []);
  });
});
