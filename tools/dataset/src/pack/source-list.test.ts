import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LABELS } from '../labels.ts';
import { assignSplits } from '../splits.ts';
import { originOf } from './origin.ts';
import { readPackageList } from './package-store.ts';
import { readSourceList } from './source-list.ts';

const sources = await readSourceList();

test('the list names every class and kind, with ids, groups and credits of its own', () => {
  assert.equal(sources.length, 2046);
  assert.equal(new Set(sources.map(({ id }) => id)).size, sources.length);
  for (const label of LABELS) {
    for (const kind of ['audio', 'image']) {
      for (const split of ['train', 'test']) {
        const own = sources.filter(
          (source) => source.class === label && source.kind === kind && source.split === split,
        );
        assert.ok(own.length >= 2, `${label} ${kind} ${split}`);
      }
    }
  }
  for (const { id, group, licence, attribution, fingerprint } of sources) {
    assert.ok(group !== '' && licence !== '' && attribution !== '', id);
    assert.match(fingerprint, /^[0-9a-f]{16}$/, id);
  }
});

test('no group of the list is in two splits', () => {
  assignSplits(sources.map((source) => ({ ...source, file: source.id, sha256: source.id })));
});

test('every source comes from a listed package, by a path that is understood', async () => {
  const packages = new Set((await readPackageList()).map(({ name }) => name));
  for (const { id, package: from, path } of sources) {
    assert.ok(packages.has(from), `${id}: ${from}`);
    originOf(path);
  }
  assert.throws(() => originOf('somewhere'), /"somewhere" is of no known form/);
});

test('paths say what to read', () => {
  assert.deepEqual(originOf('raw sample FluidGS:3:123:Bird  2:Bird2(L)'), {
    kind: 'sample',
    member: 'usr/share/sounds/sf2/FluidR3_GS.sf2',
    name: 'Bird2(L)',
  });
  const phrase = originOf('TimGM6mb preset drum kit 40; notes seed "TimGM6mb:kit40", window 11');
  assert.ok(phrase.kind === 'phrase');
  const { program, drums, window, seed } = phrase.phrase;
  assert.deepEqual([program, drums, window, seed], [40, true, 11, 'TimGM6mb:kit40']);
  assert.deepEqual(originOf('public.zip:audio/a.ogg'), {
    kind: 'zip',
    member: 'usr/share/games/0ad/mods/public/public.zip',
    inner: 'audio/a.ogg',
  });
});
