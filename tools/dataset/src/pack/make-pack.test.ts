import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readManifest } from '../manifest.ts';
import { openSources } from '../sources.ts';
import { packPicture } from './convert.ts';
import { fingerprint } from './fingerprint.ts';
import { makePack } from './make-pack.ts';
import { runProgram } from './run-program.ts';
import type { ListedSource } from './source-list.ts';

const PACKAGE = 'npm:@made/up@1.0.0';
const body = (x: number) => `<rect x="${x}" width="8" height="16" fill="red"/><circle cx="8" cy="8" r="${x + 1}"/>`;
const svg = (x: number) =>
  `<svg xmlns="http://www.w3.org/2000/svg" width="16" height="16" viewBox="0 0 16 16">${body(x)}</svg>`;

function listed(id: string, icon: string, print: string, from = PACKAGE): ListedSource {
  return {
    id,
    kind: 'image',
    class: 'dog',
    style: 'emoji',
    package: from,
    path: `icons.json:${icon}`,
    group: `set of ${from}`,
    split: 'train',
    licence: 'MIT',
    licenceFamily: 'permissive',
    attribution: 'nobody',
    fingerprint: print,
  };
}

test('a pack is made from packages, compared with its list, and continued where it ended', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'faultline-packages-'));
  try {
    await mkdir(join(folder, 'package'));
    const icons = { width: 16, height: 16, icons: { dog: { body: body(1) }, puppy: { body: body(5) } } };
    await writeFile(join(folder, 'package/icons.json'), JSON.stringify(icons));
    await runProgram('tar', ['-czf', join(folder, 'made-up-1.0.0.tgz'), '-C', folder, 'package/icons.json']);
    await writeFile(join(folder, 'dog.webp'), await packPicture(Buffer.from(svg(1)), 'image'));
    const print = await fingerprint(join(folder, 'dog.webp'), 'image');
    const opposite = (BigInt(`0x${print}`) ^ (2n ** 64n - 1n)).toString(16).padStart(16, '0');
    const options = {
      sources: [
        listed('i-1', 'dog', print),
        listed('i-2', 'puppy', opposite),
        listed('i-3', 'wolf', print),
        listed('i-4', 'dog', print, 'npm:@no/where@1.0.0'),
      ],
      packagesDir: folder,
      work: join(folder, 'work'),
      out: join(folder, 'pack'),
      workers: 2,
      onProgress: () => {},
    };
    const outcomes = await makePack(options);
    assert.deepEqual(
      outcomes.map((outcome) => ('entry' in outcome ? outcome.likeness : outcome.missing)),
      ['match', 'differs', 'the icon set has no "wolf"', `npm:@no/where@1.0.0 is not in ${folder}`],
    );
    const entries = await readManifest(options.out);
    assert.deepEqual(
      entries.map(({ file }) => file),
      ['images/dog/i-1.webp', 'images/dog/i-2.webp'],
    );
    const readme = await readFile(join(options.out, 'README.md'), 'utf8');
    assert.ok(readme.includes(`| ${PACKAGE} | 1 | 0 | 1 | 0 | 1 |\n`), readme);
    assert.match(readme, /- npm:@made\/up@1\.0\.0 \(1\): i-3: the icon set has no "wolf"/);
    const sources = await openSources(options.out, join(folder, 'cache'));
    assert.equal(sources.picture('i-1').levels[0]?.height, 144 + 2);

    const made = join(options.out, 'images/dog/i-1.webp');
    const before = (await stat(made)).mtimeMs;
    await rm(join(options.out, 'images/dog/i-2.webp'));
    assert.deepEqual(await makePack(options), outcomes);
    assert.equal((await stat(made)).mtimeMs, before);
  } finally {
    await rm(folder, { recursive: true });
  }
});
