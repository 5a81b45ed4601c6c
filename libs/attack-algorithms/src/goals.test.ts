import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack, type DenseTensor, sliceRows } from '@faultline/contracts';
import { AttackRequestError } from './faults.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';

const { GoalKind, Goal } = attack;
const linear = await LinearVictim.create(6);
after(() => linear[Symbol.asyncDispose]());
const CLIPS = 3;
const inputs = linear.clips(CLIPS, 0.2, 7);
const BASE: RunOptions = {
  inputs,
  labels: [[0], [0, 1], [1, 2]],
  labelCount: 3,
  norm: 'linf',
  budgets: new Map([
    ['waveform', 1],
    ['frames', 0.5],
  ]),
  rungs: [[0.3, 'never']],
  steps: 15,
};
const thresholds = linear.card.labels.map(({ threshold }) => threshold);

/** Fresh logits of a point. */
async function logitsOf(clip: number, point: ReadonlyMap<string, Float32Array>): Promise<number[]> {
  const at = new Map(
    Array.from(inputs, ([name, tensor]): [string, DenseTensor] => {
      const clean = sliceRows(tensor, clip, clip + 1);
      return [name, { dims: clean.dims, data: point.get(name) ?? clean.data }];
    }),
  );
  return [...(await linear.victim.predict(at)).logits.data];
}

/** The margin of each goal, written out. */
const MARGINS: readonly {
  readonly goal: Partial<attack.Goal>;
  margin(z: readonly number[], isTrue: (label: number) => boolean): number;
}[] = [
  {
    goal: { kind: GoalKind.GOAL_KIND_DEACTIVATE_ALL },
    margin: (z, isTrue) => Math.max(...z.flatMap((value, i) => (isTrue(i) ? value - (thresholds[i] ?? 0) : []))),
  },
  {
    goal: { kind: GoalKind.GOAL_KIND_DEACTIVATE_ONE },
    margin: (z, isTrue) => Math.min(...z.flatMap((value, i) => (isTrue(i) ? value - (thresholds[i] ?? 0) : []))),
  },
  {
    goal: { kind: GoalKind.GOAL_KIND_DEACTIVATE_ONE, label: 'bird' },
    margin: (z) => (z[1] ?? 0) - (thresholds[1] ?? 0),
  },
  {
    goal: { kind: GoalKind.GOAL_KIND_FABRICATE_ONE },
    margin: (z, isTrue) => Math.min(...z.flatMap((value, i) => (isTrue(i) ? [] : (thresholds[i] ?? 0) - value))),
  },
  {
    goal: { kind: GoalKind.GOAL_KIND_FABRICATE_ONE, label: 'horse' },
    margin: (z) => (thresholds[2] ?? 0) - (z[2] ?? 0),
  },
  {
    goal: { kind: GoalKind.GOAL_KIND_TOP_K, k: 1 },
    margin: (z, isTrue) => {
      const [right, wrong] = [true, false].map((is) => Math.max(...z.filter((_, i) => isTrue(i) === is)));
      return (right ?? 0) - (wrong ?? 0);
    },
  },
  {
    goal: { kind: GoalKind.GOAL_KIND_TARGETED, label: 'dog' },
    margin: ([dog = 0, ...others]) => Math.max(...others) - dog,
  },
];

for (const { goal, margin } of MARGINS) {
  const name = `${attack.goalKindToJSON(goal.kind ?? 0)} ${goal.label ?? goal.k ?? ''}`;
  test(`reaches the goal and tells its margin: ${name}`, async () => {
    const clean = await Promise.all([0, 1, 2].map((clip) => logitsOf(clip, new Map())));
    for (const algorithm of ['pgd', 'apgd', 'ensemble', 'fgsm', 'mi-fgsm', 'noise']) {
      const run = runOf({ ...BASE, attack: algorithm, goal: Goal.fromPartial(goal) });
      for (const { clip, point, margin: told } of (await collect(linear.victim, run)).rows) {
        const isTrue = (label: number) => BASE.labels[clip]?.includes(label) ?? false;
        const fresh = margin(await logitsOf(clip, point), isTrue);
        assert.ok(Math.abs(told - fresh) < 1e-3, `${algorithm} clip ${clip}: ${told} told, ${fresh} found`);
        const before = margin(clean[clip] ?? [], isTrue);
        if (algorithm !== 'noise')
          assert.ok(fresh < Math.max(0, before - 1), `${algorithm} clip ${clip}: ${fresh} after ${before}`);
      }
    }
  });
}

test('attacks that know scores alone are told goals, too', async () => {
  const goal = Goal.fromPartial({ kind: GoalKind.GOAL_KIND_TARGETED, label: 'dog' });
  for (const algorithm of ['square', 'nes']) {
    const parameters = { queries: 200 };
    const { rows } = await collect(linear.victim, runOf({ ...BASE, attack: algorithm, goal, parameters }));
    assert.equal(rows.length, CLIPS);
    for (const { clip, point, margin } of rows) {
      const [before, now] = [await logitsOf(clip, new Map()), await logitsOf(clip, point)].map(
        ([dog = 0, ...others]) => Math.max(...others) - dog,
      );
      assert.ok(Math.abs(margin - (now ?? 0)) < 1e-3 && margin < (before ?? 0), `${algorithm}: ${margin} of ${before}`);
    }
  }
});

test('the second highest false label counts for k = 2', async () => {
  const labels = [[0], [1], [2]];
  const run = runOf({
    ...BASE,
    labels,
    attack: 'apgd',
    goal: Goal.fromPartial({ kind: GoalKind.GOAL_KIND_TOP_K, k: 2 }),
  });
  for (const { clip, point, margin } of (await collect(linear.victim, run)).rows) {
    const z = await logitsOf(clip, point);
    const others = z.filter((_, label) => label !== clip).sort((a, b) => b - a);
    assert.ok(Math.abs(margin - ((z[clip] ?? 0) - (others[1] ?? 0))) < 1e-3);
  }
});

const REFUSED: readonly (readonly [Partial<attack.Goal>, Partial<RunOptions>, string])[] = [
  [{ kind: GoalKind.GOAL_KIND_TARGETED }, {}, 'threat_model.goal.label'],
  [{ kind: GoalKind.GOAL_KIND_TARGETED, label: 'cat' }, {}, 'threat_model.goal.label'],
  [{ kind: GoalKind.GOAL_KIND_TOP_K, k: 2 }, {}, 'threat_model.goal.k'],
  [{ kind: GoalKind.GOAL_KIND_TOP_K, k: 1, label: 'dog' }, {}, 'threat_model.goal.label'],
  [{ kind: GoalKind.GOAL_KIND_DEACTIVATE_ONE, k: 1 }, {}, 'threat_model.goal.k'],
  [{ kind: GoalKind.GOAL_KIND_FABRICATE_ONE }, { parameters: { loss: 'bce' } }, 'threat_model.parameters'],
];

for (const [goal, changes, field] of REFUSED) {
  test(`a goal that cannot be is refused: ${JSON.stringify(goal)} ${JSON.stringify(changes)}`, async () => {
    const run = runOf({ ...BASE, ...changes, goal: Goal.fromPartial(goal) });
    await assert.rejects(collect(linear.victim, run), (error) => {
      assert.ok(error instanceof AttackRequestError);
      assert.deepEqual(
        error.violations.map((violation) => violation.field),
        [field],
      );
      return true;
    });
  });
}
