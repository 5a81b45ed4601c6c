import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { sliceRows } from '@faultline/contracts';
import type { StepOptions, Victim } from '@faultline/victim';
import { AttackRequestError } from './faults.ts';
import { type AttackEvent, type AttackOptions, ModelMismatchError, runAttack } from './run-attack.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';

const CLIPS = 5;
const linear = await LinearVictim.create(4);
const inputs = linear.clips(CLIPS, 0.2, 6, true);
after(() => linear[Symbol.asyncDispose]());

/** Each clip's most active label is its true one. */
const labels = Array.from({ length: CLIPS }, (_, clip) => {
  const margins = linear.margins(inputs, clip);
  return [margins.indexOf(Math.max(...margins))];
});
const BASE: RunOptions = {
  inputs,
  labels,
  labelCount: 3,
  norm: 'linf',
  budgets: new Map([
    ['waveform', 0.3],
    ['frames', 0.2],
  ]),
  rungs: [
    [0, 'early'],
    [0.02, 'early'],
    [0.1, 'never'],
    [0.3, 'early'],
    [1, 'early'],
    [1, 'never'],
  ],
  steps: 12,
};

/** Rungs of BASE that never stop. */
const NEVER = [2, 5];

test('early rungs give a clip once, where no smaller rung of either kind did; the others give every clip', async () => {
  const { results, rows, cost } = await collect(linear.victim, runOf(BASE));
  for (const rung of NEVER) {
    const clips = results.filter((result) => result.rung === rung).flatMap((result) => result.clips);
    assert.deepEqual(clips, [0, 1, 2, 3, 4]);
  }
  const successes = rows.filter(({ margin }) => margin <= -2e-4);
  for (const { rung, clip } of rows.filter((row) => !NEVER.includes(row.rung))) {
    const smallest = Math.min(...successes.filter((row) => row.clip === clip).map((row) => row.rung));
    assert.equal(rung, smallest, `clip ${clip}`);
  }
  assert.equal(new Set(successes.map(({ clip }) => clip)).size, CLIPS);
  assert.ok(rows.length > NEVER.length * CLIPS);
  // Never more than every example through every step and the last evaluation; less, for finished examples are dropped.
  assert.ok(cost && cost.gradientExamples < CLIPS * 6 * 12 && cost.gradientExamples >= CLIPS * 2 * 12);
  assert.ok(cost.forwardExamples <= CLIPS * 6 * 13);
});

test('a budget of 0 is looked at, not iterated on', async () => {
  const { rows, cost } = await collect(
    linear.victim,
    runOf({
      ...BASE,
      rungs: [
        [0, 'early'],
        [0, 'never'],
      ],
      steps: 100,
    }),
  );
  assert.deepEqual(
    rows.map(({ rung, clip }) => [rung, clip]),
    [0, 1, 2, 3, 4].map((clip) => [1, clip]),
  );
  for (const { clip, point } of rows) {
    const clean = sliceRows(inputs.get('waveform') ?? { dims: [], data: new Float32Array() }, clip, clip + 1);
    assert.deepEqual(point.get('waveform'), clean.data);
  }
  assert.ok(cost && cost.gradientExamples <= 2 * 2 * CLIPS);
});

test('candidates are what their margins say: a fresh prediction agrees', async () => {
  const { results } = await collect(linear.victim, runOf(BASE));
  for (const { clips, adversarial, margins } of results) {
    const { logits } = await linear.victim.predict(adversarial);
    for (const [row, clip] of clips.entries()) {
      const [label = 0] = labels[clip] ?? [];
      const fresh = (logits.data[row * 3 + label] ?? 0) - (linear.card.labels[label]?.threshold ?? 0);
      assert.ok(Math.abs(fresh - (margins[row] ?? Number.NaN)) < 1e-4);
    }
  }
});

test('the same request gives the same bits', async () => {
  const [first, second] = [await collect(linear.victim, runOf(BASE)), await collect(linear.victim, runOf(BASE))];
  assert.deepEqual(second, first);
});

test('a clip gets the same noise whatever batch it stands in', async () => {
  const never = runOf({ ...BASE, attack: 'noise', rungs: [[1, 'never']] });
  const whole = await collect(linear.victim, never);
  for (let clip = 0; clip < CLIPS; clip += 1) {
    const alone = await collect(linear.victim, {
      ...never,
      inputs: new Map(Array.from(inputs, ([name, tensor]) => [name, sliceRows(tensor, clip, clip + 1)])),
      targets: sliceRows(never.targets, clip, clip + 1),
      clipSha256: never.clipSha256.slice(clip, clip + 1),
    });
    assert.deepEqual(alone.rows[0]?.point, whole.rows[clip]?.point);
  }
});

test('restarts are nested: more of them never raise a margin, and a longer ladder changes no rung', async () => {
  const at = async (restarts: number, rungs: RunOptions['rungs']) =>
    (await collect(linear.victim, runOf({ ...BASE, steps: 2, restarts, rungs }))).rows;
  const [one, three] = [await at(1, [[0.3, 'never']]), await at(3, [[0.3, 'never']])];
  for (const [index, { margin }] of one.entries()) assert.ok((three[index]?.margin ?? Number.NaN) <= margin);
  assert.ok(three.some(({ margin }, index) => margin < (one[index]?.margin ?? Number.NaN)));
  const longer = await at(1, [
    [0.1, 'never'],
    [0.3, 'never'],
  ]);
  assert.deepEqual(
    longer.filter(({ rung }) => rung === 1).map(({ margin }) => margin),
    one.map(({ margin }) => margin),
  );
});

test('noise takes no gradient, has the full norm where the box allows, and is weaker than PGD', async () => {
  const rungs: RunOptions['rungs'] = [[0.3, 'never']];
  const noise = await collect(linear.victim, runOf({ ...BASE, attack: 'noise', rungs }));
  assert.deepEqual(noise.cost, { forwardExamples: CLIPS, gradientExamples: 0 });
  const { rows } = await collect(linear.victim, runOf({ ...BASE, rungs }));
  for (const [index, { margin }] of rows.entries()) assert.ok(margin < (noise.rows[index]?.margin ?? Number.NaN));
});

test('progress only grows and ends complete', async () => {
  const seen: Extract<AttackEvent, { kind: 'progress' }>[] = [];
  for await (const event of runAttack(linear.victim, runOf(BASE))) if (event.kind === 'progress') seen.push(event);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a.stepsDone - b.stepsDone),
  );
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => b.stepsPlanned - a.stepsPlanned),
  );
  const last = seen.at(-1);
  assert.ok(last && last.stepsDone === last.stepsPlanned && last.stepsDone > 0);
});

test('an aborted run stops between steps', async () => {
  const abort = new AbortController();
  const events = runAttack(linear.victim, runOf({ ...BASE, steps: 1000 }), { signal: abort.signal });
  await events.next();
  abort.abort(new Error('no longer wanted'));
  await assert.rejects(async () => {
    for await (const _ of events);
  }, /no longer wanted/);
});

/** The linear victim, whose loops fail at these steps: the n-th entry is for the n-th loop that is opened. */
function failing(steps: readonly number[]): Victim {
  const left = [...steps];
  return {
    describe: () => linear.victim.describe(),
    predict: (batch) => linear.victim.predict(batch),
    differentiate: linear.victim.differentiate.bind(linear.victim),
    async open(plan, parameters) {
      const loop = await linear.victim.open(plan, parameters);
      const failsAt = left.shift() ?? Number.POSITIVE_INFINITY;
      let calls = 0;
      const step = loop.step.bind(loop);
      return Object.assign(loop, {
        step: (wanted: StepOptions) => {
          calls += 1;
          return calls === failsAt ? Promise.reject(new Error('lost')) : step(wanted);
        },
      });
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

async function eventsOf(victim: Victim, rerun?: AttackOptions['rerun']): Promise<AttackEvent[]> {
  const events: AttackEvent[] = [];
  for await (const event of runAttack(victim, runOf(BASE), { rerun })) events.push(event);
  return events;
}

test('a lost loop is run anew: the same bits, the same cost, progress that never falls', async () => {
  const withoutProgress = (events: readonly AttackEvent[]) => events.filter(({ kind }) => kind !== 'progress');
  const undisturbed = await eventsOf(linear.victim);
  const asked: number[] = [];
  const disturbed = await eventsOf(failing([1, 4, 3]), async (failure, failures) => {
    assert.match(String(failure), /lost/);
    asked.push(failures);
    return true;
  });
  assert.deepEqual(asked, [1, 2, 3]);
  assert.deepEqual(withoutProgress(disturbed), withoutProgress(undisturbed));
  const done = disturbed.flatMap((event) => (event.kind === 'progress' ? [event.stepsDone] : []));
  assert.deepEqual(
    done,
    done.toSorted((a, b) => a - b),
  );
});

test('a lost loop is an error where nobody wants it anew', async () => {
  await assert.rejects(eventsOf(failing([2])), /lost/);
  await assert.rejects(
    eventsOf(failing([2, 2]), async (_, failures) => failures < 2),
    /lost/,
  );
});

test('a pinned model that is not there any more is refused', async () => {
  const events = runAttack(linear.victim, { ...runOf(BASE), modelSha256: 'f'.repeat(64) });
  await assert.rejects(events.next(), ModelMismatchError);
});

test('a request with several faults names them all', async () => {
  const run = runOf({
    ...BASE,
    rungs: [
      [1, 'early'],
      [0.5, 'early'],
    ],
    steps: 0,
    labels: [[], ...labels.slice(1)],
    budgets: new Map([['smell', 1]]),
  });
  await assert.rejects(
    runAttack(linear.victim, { ...run, inputs: new Map([...inputs].slice(0, 1)) }).next(),
    (error) => {
      assert.ok(error instanceof AttackRequestError);
      const fields = error.violations.map(({ field }) => field);
      assert.deepEqual(fields, [
        'threat_model.steps',
        'threat_model.rungs[1].scale',
        'threat_model.variables[0].variable',
        'inputs',
        'targets',
      ]);
      assert.match(
        error.message,
        /'smell' is no input or tap of victim 'linear' \(inputs waveform, frames; taps none\)/,
      );
      return true;
    },
  );
});
