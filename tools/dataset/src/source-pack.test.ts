import assert from 'node:assert/strict';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { compose } from './compose.ts';
import { exampleStream } from './example-stream.ts';
import { LABELS } from './labels.ts';
import { openSources } from './sources.ts';
import { writeSyntheticPack } from './synthetic-pack.ts';
import { syntheticEntries, tone } from './synthetic-sources.ts';

/** A real pack of small files: what is read here went through the decoders. */
let folder = '';
let cacheDir = '';

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'faultline-pack-'));
  cacheDir = join(folder, 'cache');
  await writeSyntheticPack(folder);
});

after(() => rm(folder, { recursive: true }));

test('a pack is decoded once and then read from the cache, with equal results', async () => {
  const first = await openSources(folder, cacheDir);
  const again = await openSources(folder, cacheDir);
  assert.equal((await readdir(cacheDir)).length, 1);
  const options = { seed: 1, index: 4, augment: true };
  assert.deepEqual(compose(again, 'train', options), compose(first, 'train', options));
});

test('sounds and pictures come out as they went in', async () => {
  const sources = await openSources(folder, cacheDir);
  const [entry] = sources.entries;
  assert.ok(entry);
  const decoded = sources.sound(entry.id);
  const original = tone(entry);
  assert.equal(decoded.length, original.length);
  assert.ok(decoded.every((sample, at) => Math.abs(sample - (original[at] ?? 0)) <= 1));
  const at = sources.entries.findIndex(({ kind }) => kind === 'image');
  const base = sources.picture(sources.entries[at]?.id ?? '').levels[0];
  assert.ok(base);
  assert.deepEqual([base.width, base.height], [42, 32]);
  assert.deepEqual([...base.pixels.subarray(0, 4)], [0, 0, 0, 0]);
  assert.deepEqual([...base.pixels.subarray((42 + 1) * 4, (42 + 2) * 4)], [at % 256, 100, 50, 255]);
});

for (const workers of [1, 2]) {
  test(`the stream gives the composed examples in order, with ${workers} worker(s)`, async () => {
    const sources = await openSources(folder, cacheDir);
    const options = {
      packDir: folder,
      cacheDir,
      split: 'validation',
      seed: 9,
      batchSize: 4,
      count: 10,
      workers,
    } as const;
    const sizes: number[] = [];
    for await (const batch of exampleStream(options)) {
      sizes.push(batch.size);
      for (let row = 0; row < batch.size; row++) {
        const expected = compose(sources, 'validation', { seed: 9, index: batch.start + row, augment: false });
        const { waveform, frames, targets } = expected;
        assert.deepEqual(batch.waveform.subarray(row * waveform.length, (row + 1) * waveform.length), waveform);
        assert.deepEqual(batch.frames.subarray(row * frames.length, (row + 1) * frames.length), frames);
        assert.deepEqual(batch.targets.subarray(row * LABELS.length, (row + 1) * LABELS.length), targets);
      }
    }
    assert.deepEqual(sizes, [4, 4, 2]);
  });
}

test('a folder that is no pack is refused with a remedy', async () => {
  await assert.rejects(openSources(join(folder, 'nowhere')), /no source pack at .*--pack DIR/);
});

test('a bad manifest entry is refused by field and value', async () => {
  const broken = await mkdtemp(join(tmpdir(), 'faultline-pack-'));
  const [entry] = syntheticEntries();
  await writeFile(join(broken, 'sources.json'), JSON.stringify([{ ...entry, class: 'unicorn' }]));
  await assert.rejects(openSources(broken), /\[0\]\.class is "unicorn"; expected a label/);
  await rm(broken, { recursive: true });
});
