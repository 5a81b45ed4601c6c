import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compose } from './compose.ts';
import { LABELS } from './labels.ts';
import { SPLITS } from './splits.ts';
import { syntheticSources } from './synthetic-sources.ts';

const sources = syntheticSources();
const labelsOf = (targets: Float32Array): string[] => LABELS.filter((_, at) => targets[at] === 1);

test('an example depends on its split, seed and index alone', () => {
  const options = { seed: 5, index: 7, augment: true };
  const first = compose(sources, 'train', options);
  compose(sources, 'train', { ...options, index: 3 });
  assert.deepEqual(compose(sources, 'train', options), first);
  assert.deepEqual(compose(syntheticSources(), 'train', options), first);
  for (const other of [{ seed: 6 }, { index: 8 }]) {
    assert.notDeepEqual(compose(sources, 'train', { ...options, ...other }).waveform, first.waveform);
  }
  assert.notDeepEqual(compose(sources, 'validation', options).waveform, first.waveform);
});

test('examples have the stated shapes and ranges, and use sources of their split only', () => {
  fc.assert(
    fc.property(fc.constantFrom(...SPLITS), fc.nat(), fc.nat(10_000), fc.boolean(), (split, seed, index, augment) => {
      const example = compose(sources, split, { seed, index, augment });
      assert.equal(example.waveform.length, 32_000);
      assert.equal(example.frames.length, 8 * 3 * 64 * 64);
      assert.ok(example.waveform.every((value) => Math.abs(value) <= 0.951));
      assert.ok(example.waveform.some((value) => Math.abs(value) > 0.01));
      for (const id of example.sourceIds) assert.equal(sources.splits.get(id), split);
      const union = LABELS.map((_, at) => Math.max(example.audioTargets[at] ?? 0, example.visualTargets[at] ?? 0));
      assert.deepEqual([...example.targets], union);
      assert.ok(labelsOf(example.targets).length === 1 || labelsOf(example.targets).length === 2);
    }),
    { numRuns: 40 },
  );
});

test('every twelve examples begin with each class once; about a third have two events, a tenth disagree', () => {
  const examples = Array.from({ length: 360 }, (_, index) =>
    compose(sources, 'train', { seed: 1, index, augment: false }),
  );
  const counts = LABELS.map((label) => examples.filter(({ targets }) => labelsOf(targets).includes(label)).length);
  // Each is first 30 times, and sometimes second.
  assert.ok(Math.min(...counts) >= 30 && Math.max(...counts) <= 60, `${counts}`);
  const disagreeing = examples.filter(({ audioTargets, visualTargets }) => {
    return labelsOf(audioTargets).join() !== labelsOf(visualTargets).join();
  });
  const pairs = examples.filter(({ audioTargets }) => labelsOf(audioTargets).length === 2);
  assert.ok(disagreeing.length > 18 && disagreeing.length < 58, `${disagreeing.length} disagree`);
  assert.ok(pairs.length > 90 && pairs.length < 150, `${pairs.length} pairs`);
});

test('background and ambience do not depend on the class', () => {
  const examples = Array.from({ length: 480 }, (_, index) =>
    compose(sources, 'train', { seed: 2, index, augment: false }),
  );
  const backgrounds = new Map<string, Set<string>>();
  for (const { sourceIds, targets } of examples) {
    const background = sourceIds.at(-2) ?? '';
    const known = backgrounds.get(background) ?? new Set();
    for (const label of labelsOf(targets)) known.add(label);
    backgrounds.set(background, known);
  }
  assert.ok([...backgrounds.values()].every((labels) => labels.size === LABELS.length));
});

test('groups name the events, first the first sound', () => {
  const example = compose(sources, 'test', { seed: 3, index: 0, augment: true });
  const [firstSource] = example.sourceIds;
  assert.equal(example.groups[0], sources.entries.find(({ id }) => id === firstSource)?.group);
  assert.ok(example.groups.every((group) => !group.startsWith('background') && !group.startsWith('noise')));
});
