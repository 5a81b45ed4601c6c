import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { Loop, LoopPlan, Parameters, Victim } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';
import { countingRelay } from '@faultline/victim-grpc/testing';
import { LocalVictim } from '@faultline/victim-local';
import { descent, planOf, program, sumOfTargets } from './test-support/programs.ts';
import { serveVictim } from './test-support/serve-victim.ts';
import { CLIPS, card, HIDDEN, inputs, LABELS, model, SAMPLES, targetsOf } from './test-support/two-layer-victim.ts';

// Whatever a loop can do, it does the same over gRPC as in this process: bit for bit.

const served = await serveVictim();
const remote = new RemoteVictim(served.address);
const local = await LocalVictim.load({ card, model });
after(async () => {
  await remote[Symbol.asyncDispose]();
  await local[Symbol.asyncDispose]();
  await served[Symbol.asyncDispose]();
});

const COUNT = 3;
const KEYS = BigUint64Array.of(5n, 2n ** 63n);
const size = Float32Array.of(0.1, 0.2);

interface Scenario {
  readonly name: string;
  readonly plan: LoopPlan;
  readonly initParameters?: Parameters;
  /** Fetched slots, after the steps. */
  readonly slots: readonly string[];
  run(loop: Loop): Promise<unknown>;
}

const threeSteps = async (loop: Loop) => {
  const parameters = { size: Float32Array.of(0.1, 0.2, 0.3, 0.4, 0.5, 0.6) };
  const { outcomes, cost, finished } = await loop.step({ steps: 3, parameters, finish: true });
  return { outcomes, cost, finished };
};

const noise = [
  { name: 'start', distribution: 'signs', dims: [SAMPLES] },
  { name: 'smooth', distribution: 'normal', dims: [SAMPLES] },
] as const;

/** seen = x + noise */
const smoothing = program((b) => {
  const drawn = b.read('noise/smooth', [COUNT, SAMPLES]);
  b.write('seen/waveform', b.plus(b.read('x/waveform', [COUNT, SAMPLES]), drawn));
});

/** The step program of a loop with samples: the mean loss is the outcome, one gradient a sample or their mean. */
const sampledStep = (gradient: 'mean' | 'each') =>
  program((b) => {
    const own = gradient === 'mean' ? [SAMPLES] : [COUNT, SAMPLES];
    const slope = b.read('grad/waveform', own);
    const reduced = gradient === 'mean' ? slope : b.reduceSum(slope, [1], false);
    const step = b.times(b.reshape(b.read('param/size'), [-1, 1]), reduced);
    b.write('next/waveform', b.minus(b.read('x/waveform', [SAMPLES]), step));
    b.write('outcome/loss', b.reduceSum(b.read('loss', [COUNT]), [1], false));
  });

const sampled = (gradient: 'mean' | 'each'): Scenario => ({
  name: `samples, gradient ${gradient}`,
  plan: planOf({
    programs: { transform: smoothing, objective: sumOfTargets(COUNT), step: sampledStep(gradient) },
    samples: { count: COUNT, gradient },
    noise,
    noiseKeys: KEYS,
  }),
  slots: ['x/waveform'],
  run: threeSteps,
});

/** x0 + radius x signs, and a state that counts. */
const start = program((b) => {
  const radius = b.reshape(b.read('param/radius'), [-1, 1]);
  b.write('next/waveform', b.plus(b.read('x0/waveform', [SAMPLES]), b.times(radius, b.read('noise/start', [SAMPLES]))));
  b.write('next/state/starts', b.plus(b.read('state/starts'), b.scalar(1)));
});

/** As `descent`, weighted by a constant and a number of each example, which is uint8 (divided by 255). */
const weighted = program((b) => {
  const weights = b.times(b.input('const/mask', [SAMPLES]), b.reshape(b.read('data/rank'), [-1, 1]));
  const gradient = b.times(weights, b.read('grad/waveform', [SAMPLES]));
  const step = b.times(b.reshape(b.read('param/size'), [-1, 1]), gradient);
  b.write('next/waveform', b.minus(b.read('x/waveform', [SAMPLES]), step));
  b.write('outcome/loss', b.op('Identity', [b.read('loss')]));
});

/** delta <- delta - gradient; seen = x0 + delta */
const universal = {
  transform: program((b) => {
    b.write('seen/waveform', b.plus(b.read('x0/waveform', [SAMPLES]), b.input('x/waveform', [1, SAMPLES])));
  }),
  objective: sumOfTargets(),
  step: program((b) => {
    const step = b.times(b.reshape(b.input('param/size', [1]), [1, 1]), b.input('grad/waveform', [1, SAMPLES]));
    b.write('next/waveform', b.minus(b.input('x/waveform', [1, SAMPLES]), step));
    b.write('next/state/steps', b.plus(b.input('state/steps', [1]), b.scalar(1)));
    b.write('outcome/total', b.reduceSum(b.read('loss'), [0], true));
  }),
};

/** Proposes noise around the best point, and keeps what lowers the loss: no gradient. */
const search = program((b) => {
  const loss = b.read('loss');
  const best = b.read('state/best');
  const better = b.op('Less', [loss, best]);
  const accepted = b.op('Where', [
    b.reshape(better, [-1, 1]),
    b.read('x/waveform', [SAMPLES]),
    b.read('state/point', [SAMPLES]),
  ]);
  b.write('next/state/point', accepted);
  b.write('next/state/best', b.op('Where', [better, loss, best]));
  b.write('next/waveform', b.plus(accepted, b.times(b.scalar(0.01), b.read('noise/smooth', [SAMPLES]))));
  b.write('outcome/loss', b.op('Identity', [loss]));
});

const SCENARIOS: readonly Scenario[] = [
  sampled('mean'),
  sampled('each'),
  {
    name: 'init, restarts, signs, constants, data of 8 bits, dropped examples',
    plan: planOf({
      programs: { objective: sumOfTargets(), step: weighted, init: start },
      constants: new Map([
        ['mask', { dims: [SAMPLES], data: Float32Array.from({ length: SAMPLES }, (_, i) => i / 64) }],
      ]),
      data: new Map([['rank', { dims: [CLIPS], data: Uint8Array.of(200, 100) }]]),
      noise,
      noiseKeys: KEYS,
    }),
    initParameters: { radius: Float32Array.of(0.1, 0.2) },
    slots: ['x/waveform', 'state/starts'],
    run: async (loop) => {
      const first = await loop.step({ steps: 2, parameters: { size } });
      await loop.restart({ radius: Float32Array.of(0.3, 0.4) });
      await loop.keep([1]);
      const second = await loop.step({ steps: 2, parameters: { size: size.slice(1) }, finish: true });
      return [first.outcomes, second.outcomes, loop.examples, await loop.fetch(['x/waveform'], [0])];
    },
  },
  {
    name: 'a shared point, rebatched twice, once to more examples',
    plan: planOf({ programs: universal, variables: [{ name: 'waveform', scope: 'shared' }] }),
    slots: ['x/waveform', 'state/steps'],
    run: async (loop) => {
      const seen = [(await loop.step({ steps: 2, parameters: { size: Float32Array.of(0.1, 0.2) } })).outcomes];
      for (const exampleClips of [[1], [1, 0, 1, 0]]) {
        await loop.rebatch({ exampleClips, inputs, targets: targetsOf(exampleClips.length) });
        seen.push((await loop.step({ steps: 1, parameters: { size: Float32Array.of(0.1) }, finish: true })).outcomes);
      }
      return [seen, loop.examples];
    },
  },
  {
    name: 'an attacked tap, a tap that the objective reads',
    plan: planOf({
      variables: [{ name: 'audio', scope: 'example' }],
      programs: {
        objective: program((b) => {
          const moved = b.minus(b.read('tap/hidden', [HIDDEN]), b.scalar(1));
          b.write('loss', b.reduceSum(b.times(moved, b.read('tap0/hidden', [HIDDEN])), [1], false));
        }),
        step: program((b) => {
          const step = b.times(b.reshape(b.read('param/size'), [-1, 1]), b.read('grad/audio', [HIDDEN]));
          b.write('next/audio', b.minus(b.read('x/audio', [HIDDEN]), step));
          b.write('next/state/hidden', b.op('Identity', [b.read('tap/hidden', [HIDDEN])]));
          b.write('outcome/loss', b.op('Identity', [b.read('loss')]));
        }),
      },
    }),
    slots: ['x/audio', 'state/hidden'],
    run: threeSteps,
  },
  {
    name: 'evaluate mode',
    plan: planOf({
      mode: 'evaluate',
      programs: { objective: sumOfTargets(), step: search },
      noise,
      noiseKeys: KEYS,
    }),
    slots: ['x/waveform', 'state/point', 'state/best'],
    run: async (loop) => {
      const { outcomes, cost } = await loop.step({ steps: 5, parameters: {}, finish: true });
      return { outcomes, cost };
    },
  },
];

for (const { name, plan, initParameters = {}, slots, run } of SCENARIOS) {
  test(`the same over gRPC as in this process: ${name}`, async () => {
    const results = [];
    for (const victim of [remote, local] as readonly Victim[]) {
      await using loop = await victim.open(plan, initParameters);
      results.push({ seen: await run(loop), tensors: await loop.fetch(slots) });
    }
    assert.deepEqual(results[0], results[1]);
    for (const { data } of results[0]?.tensors.values() ?? [])
      assert.ok(Array.from(data, Number).every(Number.isFinite));
  });
}

test('predictions with taps are the same over gRPC as in this process', async () => {
  const taps = ['hidden', 'audio'];
  const read = await remote.predict(inputs, { taps });
  assert.deepEqual(read, await local.predict(inputs, { taps }));
  const tapValues = new Map(
    [...read.taps].map(([name, { dims, data }]) => [name, { dims, data: data.slice().reverse() }]),
  );
  const moved = await remote.predict(inputs, { tapValues });
  assert.deepEqual(moved, await local.predict(inputs, { tapValues }));
  assert.notDeepEqual(moved.logits, read.logits);
});

const objective = program((b) => {
  const chosen = b.times(b.read('logits', [LABELS]), b.input('const/weights', [LABELS]));
  b.write('loss', b.times(b.reduceSum(chosen, [1], false), b.read('param/scale')));
});

test('gradients are the same over gRPC as in this process: named losses and programs, inputs and taps', async () => {
  const targets = targetsOf(CLIPS);
  const requests = [
    ...(['margin', 'bce', 'ce', 'logit_sum'] as const).map((loss) => ({ objective: loss, variables: ['waveform'] })),
    { objective: 'margin', variables: ['frames', 'audio'] },
    {
      objective,
      variables: ['waveform', 'frames'],
      parameters: { scale: Float32Array.of(2, 3) },
      constants: new Map([['weights', { dims: [LABELS], data: Float32Array.of(1, 2, 3) }]]),
    },
  ] as const;
  for (const request of requests) {
    const whole = { inputs, targets, ...request };
    assert.deepEqual(await remote.differentiate(whole), await local.differentiate(whole));
  }
});

test('a description tells taps with their shapes, and what loops may hold', async () => {
  const { taps, optimizeBytes, protocolVersion } = await remote.describe();
  assert.deepEqual(taps, [
    { name: 'audio', dims: [HIDDEN] },
    { name: 'hidden', dims: [HIDDEN] },
  ]);
  assert.deepEqual([optimizeBytes, protocolVersion], [2 ** 26, 2]);
});

test('a plain loop is the same, and gives its slot and memory back', async () => {
  const results = [];
  for (const victim of [remote, local] as readonly Victim[]) {
    await using loop = await victim.open(planOf({ programs: { objective: sumOfTargets(), step: descent } }), {});
    results.push(await threeSteps(loop));
  }
  assert.deepEqual(results[0], results[1]);
  assert.deepEqual(served.admission.usage, { slots: 0, bytes: 0 });
});

test('an example and step cost less than 1 kB of traffic, with all that gRPC adds', async () => {
  await using relay = await countingRelay(served.address);
  await using victim = new RemoteVictim(relay.address);
  await using loop = await victim.open(planOf(), {});
  await loop.step({ steps: 1, parameters: { size } });
  const before = relay.traffic.toClient + relay.traffic.toServer;
  const steps = 10;
  for (let i = 0; i < steps; i++) await loop.step({ steps: 1, parameters: { size } });
  const each = (relay.traffic.toClient + relay.traffic.toServer - before) / (steps * CLIPS);
  assert.ok(each > 8 && each < 1_000, `${each} bytes`);
});
