import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { runOf } from './testing/attack-run.ts';
import { HardSetting } from './testing/hard-setting.ts';
import { collectSearch, testSearch } from './testing/search-setting.ts';

const setting = await HardSetting.create();
const { linear, clips } = setting;
after(() => setting[Symbol.asyncDispose]());

testSearch(setting, { attack: 'pgd', norm: 'linf', steps: 40, tolerance: 0.02 });
testSearch(setting, { attack: 'pgd', norm: 'l2', steps: 40, tolerance: 0.02 });

const search = (maxScale?: number, active: readonly number[] = setting.byMargin(0).slice(0, 1)) =>
  runOf({
    inputs: clips,
    labels: [active, active, active],
    labelCount: 3,
    norm: 'l2',
    budgets: new Map([['frames', 1]]),
    rungs: [],
    steps: 20,
    ...(maxScale === undefined ? {} : { maxScale }),
  });

test('the interval is narrow, and what lies below it failed', async () => {
  const { found, cost } = await collectSearch(linear.victim, search());
  for (const { clip, failedScale, reachedScale = 0, margin = 0 } of found) {
    const [label = 0] = setting.byMargin(0);
    if ((linear.margins(clips, clip)[label] ?? 0) <= 0) assert.deepEqual([failedScale, reachedScale], [0, 0]);
    else assert.ok(failedScale > 0 && failedScale < reachedScale && reachedScale < 1.02 * failedScale && margin < 0);
  }
  // Five probes of up to five rounds, less what successes spare.
  assert.ok(cost && cost.gradientExamples < 3 * 5 * 5 * 20 * 0.8);
});

test('a search ends at its bound: a clip that nothing within it reaches has no upper end', async () => {
  const { found: free } = await collectSearch(linear.victim, search());
  const critical = free[0]?.reachedScale ?? Number.NaN;
  const { found: bounded } = await collectSearch(linear.victim, search(critical / 2));
  assert.equal(bounded[0]?.reachedScale, undefined);
  assert.ok(Math.abs((bounded[0]?.failedScale ?? 0) - critical / 2) < 1e-12);
  const { found: enough } = await collectSearch(linear.victim, search(critical * 1.5));
  assert.ok((enough[0]?.reachedScale ?? Number.NaN) <= critical * 1.02);
});
