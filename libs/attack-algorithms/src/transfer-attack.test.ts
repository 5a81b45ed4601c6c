import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import type { Victim } from '@faultline/victim';
import type { AttackEvent } from './run-attack.ts';
import { type RunOptions, runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';
import { transferAttack } from './transfer-attack.ts';

const [surrogate, other] = [await LinearVictim.create(1), await LinearVictim.create(2)];
after(() => Promise.all([surrogate, other].map((victim) => victim[Symbol.asyncDispose]())));

const clips = surrogate.clips(2, 0.1, 4);
const labels = [0, 1].map((clip) => {
  const margins = surrogate.margins(clips, clip);
  return [margins.indexOf(Math.max(...margins))];
});
const OPTIONS: RunOptions = {
  inputs: clips,
  labels,
  labelCount: 3,
  norm: 'linf',
  budgets: new Map([['waveform', 0.2]]),
  rungs: [
    [0, 'never'],
    [1, 'never'],
  ],
  attack: 'transfer',
  surrogate: 'surrogate',
};
const run = runOf(OPTIONS);

async function collected(target: Victim, of = run): Promise<AttackEvent[]> {
  const events: AttackEvent[] = [];
  for await (const event of transferAttack({ surrogate: surrogate.victim, target }, of)) events.push(event);
  return events;
}

const marginsOf = (events: readonly AttackEvent[], rung: number) =>
  events.flatMap((event) => (event.kind === 'result' && event.result.rung === rung ? event.result.margins : []));

test('what is crafted on the victim itself transfers whole, and to an unrelated one hardly', async () => {
  const [own, unrelated] = [await collected(surrogate.victim), await collected(other.victim)];
  const drop = (events: readonly AttackEvent[]) =>
    marginsOf(events, 0).map((clean, clip) => clean - (marginsOf(events, 1)[clip] ?? Number.NaN));
  assert.equal(marginsOf(own, 1).length, 2);
  for (const [clip, fall] of drop(own).entries()) {
    assert.ok(fall > 2, `clip ${clip} fell by ${fall}`);
    assert.ok(Math.abs(drop(unrelated)[clip] ?? Number.NaN) < fall / 3);
  }
  // The margins are the target's, recomputed here.
  for (const clip of [0, 1]) {
    const [label = 0] = labels[clip] ?? [];
    const clean = other.margins(clips, clip)[label] ?? Number.NaN;
    assert.ok(Math.abs((marginsOf(unrelated, 0)[clip] ?? Number.NaN) - clean) < 1e-3);
  }
  const cost = unrelated.at(-1);
  const alone = own.at(-1);
  assert.ok(cost?.kind === 'cost' && alone?.kind === 'cost');
  assert.equal(cost.cost.gradientExamples, alone.cost.gradientExamples);
});

test('rungs that stop early hold what reaches the goal on the target, each clip once', async () => {
  const rungs = [
    [0.1, 'early'],
    [0.5, 'early'],
    [1, 'early'],
    [4, 'never'],
  ] as const;
  const early = runOf({ ...OPTIONS, rungs });
  const results = (await collected(other.victim, early)).flatMap((event) =>
    event.kind === 'result' ? event.result : [],
  );
  const whole = (
    await collected(other.victim, runOf({ ...OPTIONS, rungs: rungs.map(([scale]) => [scale, 'never']) }))
  ).flatMap((event) => (event.kind === 'result' ? event.result : []));
  const reachedAt = [0, 1].map(
    (clip) => whole.find(({ clips: rows, margins }) => (margins[rows.indexOf(clip)] ?? 1) < -1e-3)?.rung,
  );
  assert.ok(
    reachedAt.some((rung) => rung !== undefined),
    'something transfers',
  );
  const found = results
    .filter(({ rung }) => rung < 3)
    .flatMap(({ rung, clips: rows }) => rows.map((clip) => [clip, rung]));
  const expected = reachedAt.flatMap((rung, clip) => (rung === undefined || rung === 3 ? [] : [[clip, rung]]));
  assert.deepEqual(found.toSorted(), expected);
  assert.deepEqual(results.find(({ rung }) => rung === 3)?.clips, [0, 1]);
  for (const { rung, clips: rows, margins, adversarial } of results) {
    const same = whole.find((one) => one.rung === rung);
    for (const [row, clip] of rows.entries()) {
      const at = same?.clips.indexOf(clip) ?? -1;
      assert.equal(margins[row], same?.margins[at]);
      const [own, all] = [adversarial, same?.adversarial].map(
        (one) => one?.get('waveform')?.data ?? new Float32Array(),
      );
      const size = (own?.length ?? 0) / rows.length;
      assert.deepEqual(own?.slice(row * size, (row + 1) * size), all?.slice(at * size, (at + 1) * size));
    }
  }
});

test('other goals are judged on the target too', async () => {
  const { GOAL_KIND_FABRICATE_ONE, GOAL_KIND_TOP_K } = attack.GoalKind;
  const goal = { kind: GOAL_KIND_FABRICATE_ONE, label: '', k: 0 };
  const events = await collected(other.victim, runOf({ ...OPTIONS, goal }));
  for (const clip of [0, 1]) {
    const heights = other.margins(clips, clip).filter((_, label) => !labels[clip]?.includes(label));
    assert.ok(Math.abs((marginsOf(events, 0)[clip] ?? Number.NaN) + Math.max(...heights)) < 1e-3);
  }
  const unknown = runOf({ ...OPTIONS, goal: { kind: GOAL_KIND_TOP_K, label: '', k: 1 } });
  await assert.rejects(collected(other.victim, unknown), /'top k', which 'transfer' cannot be told/);
});

test('a surrogate is named for transfer, and for nothing else', async () => {
  const refused = (change: Partial<RunOptions>, message: RegExp) =>
    assert.rejects(collected(other.victim, runOf({ ...OPTIONS, ...change })), message);
  await refused({ surrogate: '' }, /threat_model\.surrogate: is empty; 'transfer' crafts on another victim: name it/);
  await refused({ attack: 'pgd' }, /threat_model\.surrogate: is 'surrogate', and 'pgd' crafts on the victim itself/);
  await refused({ rungs: [] }, /threat_model\.rungs: is empty; 'transfer' needs a ladder/);
});
