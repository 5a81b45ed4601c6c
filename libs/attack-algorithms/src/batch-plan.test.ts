import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { loopExamples, planBlocks } from './batch-plan.ts';

test('blocks cover every clip on every rung once, within the limit, small rungs of a clip first', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.integer({ min: 1, max: 16 }),
      fc.integer({ min: 1, max: 64 }),
      (clips, rungs, most) => {
        const seen: string[] = [];
        for (const block of planBlocks(clips, rungs, most)) {
          assert.ok(block.clips * block.rungs <= most && block.clips * block.rungs > 0);
          for (let clip = block.firstClip; clip < block.firstClip + block.clips; clip += 1) {
            for (let rung = block.firstRung; rung < block.firstRung + block.rungs; rung += 1)
              seen.push(`${clip}/${rung}`);
          }
        }
        assert.equal(seen.length, clips * rungs);
        assert.equal(new Set(seen).size, seen.length);
        const rungsOfFirst = seen.filter((key) => key.startsWith('0/')).map((key) => Number(key.slice(2)));
        assert.deepEqual(
          rungsOfFirst,
          rungsOfFirst.toSorted((a, b) => a - b),
        );
      },
    ),
    { seed: 1 },
  );
});

test('large inputs make small loops, but never empty ones', () => {
  assert.ok(loopExamples(130_304, 256) >= 16);
  assert.equal(loopExamples(130_304, 8), 8);
  assert.equal(loopExamples(1e9, 256), 1);
});
