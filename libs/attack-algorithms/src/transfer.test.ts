import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Victim } from '@faultline/victim';
import type { AttackEvent } from './run-attack.ts';
import { runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';
import { transferAttack } from './transfer.ts';

const [surrogate, other] = [await LinearVictim.create(1), await LinearVictim.create(2)];
after(() => Promise.all([surrogate, other].map((victim) => victim[Symbol.asyncDispose]())));

const clips = surrogate.clips(2, 0.1, 4);
const labels = [0, 1].map((clip) => {
  const margins = surrogate.margins(clips, clip);
  return [margins.indexOf(Math.max(...margins))];
});
const run = runOf({
  inputs: clips,
  labels,
  labelCount: 3,
  norm: 'linf',
  budgets: new Map([['waveform', 0.2]]),
  rungs: [
    [0, 'never'],
    [1, 'never'],
  ],
});

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

test('rungs that stop early are refused', async () => {
  const early = { ...run.threatModel, rungs: run.threatModel.rungs.map((rung) => ({ ...rung, stopping: 1 as const })) };
  await assert.rejects(collected(other.victim, { ...run, threatModel: early }), /rungs\[0\]\.stopping: stops early/);
});
