import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitClips } from './split-clips.ts';

const CLIPS = Array.from({ length: 40 }, (_, clip) => ({
  stratum: clip % 4 === 0 ? 'seen' : 'unseen',
  groups: [`sound ${clip}`, `picture ${Math.floor(clip / 4)}`],
  sha256: `${clip}`,
}));

test('no source is on both sides, every clip is somewhere, and the seed decides about shares', () => {
  const choices = [undefined, { $case: 'share', value: 0.7 }, { $case: 'stratum', value: 'seen' }] as const;
  for (const choice of choices) {
    const { craft, test: tested, leftOut } = splitClips(CLIPS, choice, 1);
    const groups = (indices: readonly number[]) => new Set(indices.flatMap((index) => CLIPS[index]?.groups ?? []));
    assert.equal([...groups(craft)].filter((group) => groups(tested).has(group)).length, 0);
    assert.deepEqual(
      [...craft, ...tested, ...leftOut].sort((a, b) => a - b),
      [...CLIPS.keys()],
    );
    assert.ok(craft.length > 0);
  }
  const half = (seed: number) => splitClips(CLIPS, undefined, seed).craft;
  assert.deepEqual(half(1), half(1));
  assert.notDeepEqual(half(1), half(2));
});

test('a stratum crafts; clips that share a picture with it do not test', () => {
  const { craft, test: tested } = splitClips(CLIPS, { $case: 'stratum', value: 'seen' }, 1);
  assert.ok(craft.every((index) => CLIPS[index]?.stratum === 'seen') && craft.length === 10);
  assert.deepEqual(tested, [], 'each picture is in a seen clip');
});

test('clips without groups stand for themselves: a half crafts, a half tests', () => {
  const alone = CLIPS.map((clip) => ({ ...clip, groups: [] }));
  const { craft, test: tested, leftOut } = splitClips(alone, undefined, 3);
  assert.deepEqual([craft.length, tested.length, leftOut.length], [20, 20, 0]);
});
