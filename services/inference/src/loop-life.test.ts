import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Worker } from 'node:worker_threads';
import { encodeTensor, inference } from '@faultline/contracts';
import { connect, HealthService, ServingStatus } from '@faultline/service-kit';
import { RemoteVictim } from '@faultline/victim-grpc';
import { planOf, program, sumOfTargets } from './test-support/programs.ts';
import { type ServedVictim, type ServedVictimOptions, serveVictim } from './test-support/serve-victim.ts';
import { card, FRAME_DIMS, inputs, LABELS, SAMPLES, targetsOf } from './test-support/two-layer-victim.ts';

// How loops come into being and go, and what they leave behind: nothing.

const owned: AsyncDisposable[] = [];
afterEach(async () => {
  for (const resource of owned.splice(0).reverse()) await resource[Symbol.asyncDispose]();
});

async function serve(options: ServedVictimOptions = {}): Promise<ServedVictim & { readonly remote: RemoteVictim }> {
  const served = await serveVictim(options);
  const remote = new RemoteVictim(served.address);
  owned.push(served, remote);
  return { ...served, remote };
}

const size = Float32Array.of(0.1, 0.2);
const step = { steps: 1, parameters: { size } };

/** Waits until the service holds nothing. */
async function freed({ admission }: ServedVictim): Promise<void> {
  while (admission.usage.slots > 0) await sleep(5);
  assert.deepEqual(admission.usage, { slots: 0, bytes: 0 });
}

const open = (over: Partial<inference.OpenRequest> = {}): inference.OptimizeRequest => {
  const { programs, exampleClips } = planOf();
  return {
    kind: {
      $case: 'open',
      value: inference.OpenRequest.fromPartial({
        modelSha256: card.sha256,
        protocolVersion: 2,
        programs: { objective: Buffer.from(programs.objective), step: Buffer.from(programs.step) },
        variables: [{ name: 'waveform' }],
        exampleClips: [...exampleClips],
        clips: 2,
        ...over,
      }),
    },
  };
};

const upload = (slot: string, dims: readonly number[], last = true): inference.OptimizeRequest => ({
  kind: {
    $case: 'upload',
    value: {
      slot,
      rows: encodeTensor({ dims, data: new Float32Array(dims.reduce((product, axis) => product * axis, 1)) }),
      last,
    },
  },
});

test('a taken slot and too little memory are refused before anything is uploaded', async () => {
  const one = await serve({ slots: 1 });
  {
    await using _loop = await one.remote.open(planOf(), {});
    await assert.rejects(one.remote.open(planOf(), {}), {
      code: 'resource_exhausted',
      message: /all 1 optimise slots/,
    });
  }
  await freed(one);
  const small = await serve({ bytes: 2 ** 10 });
  const call = small.client.optimize();
  await call.send(open());
  await assert.rejects(call.responses.next(), { code: 'failed_precondition', message: /grants loops 1 MiB in all/ });
  await freed(small);
});

test('memory that other loops hold is refused for now, and granted when they have gone', async () => {
  const measured = await serve();
  const loop = await measured.remote.open(planOf(), {});
  await loop.step(step);
  const { bytes } = measured.admission.usage;
  assert.ok(bytes > 0);
  await loop[Symbol.asyncDispose]();
  const tight = await serve({ bytes: Math.ceil(1.2 * bytes) });
  const first = await tight.remote.open(planOf(), {});
  await assert.rejects(tight.remote.open(planOf(), {}), { code: 'resource_exhausted', message: /other loops leave/ });
  await first[Symbol.asyncDispose]();
  await freed(tight);
  await using again = await tight.remote.open(planOf(), {});
  assert.equal((await again.step(step)).stepsDone, 1);
});

test('a client of another protocol is told both versions', async () => {
  const { client } = await serve();
  const call = client.optimize();
  await call.send(open({ protocolVersion: 1, variables: [] }));
  await assert.rejects(call.responses.next(), { code: 'failed_precondition', message: /protocol 1 .* speaks 2/ });
});

test('a silent client loses its loop: before the upload, within it, and between commands', async () => {
  const served = await serve({ idleTimeoutMs: 100 });
  const sent: readonly (readonly inference.OptimizeRequest[])[] = [
    [],
    [open()],
    [open(), upload('x0/waveform', [1, SAMPLES], false)],
  ];
  for (const requests of sent) {
    const call = served.client.optimize();
    for (const request of requests) await call.send(request);
    const answers = async () => {
      for await (const _ of call.responses);
    };
    await assert.rejects(answers(), {
      code: 'deadline_exceeded',
      message: /was idle for 0.1 s; its slot was given back/,
    });
    await freed(served);
  }
  const loop = await served.remote.open(planOf(), {});
  await freed(served);
  await assert.rejects(loop.step(step), { code: 'deadline_exceeded' });
});

test('an upload that goes on for too long is ended, however steadily it drips', async () => {
  const idleTimeoutMs = 150;
  const served = await serve({ idleTimeoutMs });
  const call = served.client.optimize();
  const clips = 200;
  await call.send(open({ clips, exampleClips: [0] }));
  const dripping = (async () => {
    for (let clip = 0; clip < clips; clip++) {
      await call.send(upload('x0/waveform', [1, SAMPLES], clip === clips - 1));
      await sleep(idleTimeoutMs / 10);
    }
  })();
  const answers = async () => {
    for await (const _ of call.responses);
  };
  await assert.rejects(answers(), { code: 'deadline_exceeded', message: /the upload took too long/ });
  await assert.rejects(dripping);
  await freed(served);
});

test('more, or other, than was announced is refused', async () => {
  const served = await serve();
  const cases: readonly (readonly [readonly inference.OptimizeRequest[], RegExp])[] = [
    [[upload('x0/waveform', [3, SAMPLES])], /upload\[x0\/waveform\]: is more than the \[2, 64\]/],
    [[upload('x0/waveform', [1, SAMPLES])], /said to be complete, but rows/],
    [[upload('x0/waveform', [2, SAMPLES], false)], /last: is false, but this is all/],
    [[upload('x0/waveform', [2, SAMPLES]), upload('x0/waveform', [1, SAMPLES])], /was already complete/],
    [[upload('x0/waveform', [2, 3])], /rows: is \[2, 3\]; it must be \[rows, 64\]/],
    [[upload('const/mask', [2])], /upload\[const\/mask\]: is not awaited; upload x0\/waveform, x0\/frames, targets/],
    [[{ kind: { $case: 'step', value: { steps: 1, parameters: [], finish: false } } }], /upload all of it before step/],
  ];
  for (const [requests, message] of cases) {
    const call = served.client.optimize();
    await call.send(open());
    for (const request of requests) await call.send(request).catch(() => {});
    const answers = async () => {
      for await (const _ of call.responses);
    };
    await assert.rejects(answers(), { code: 'invalid_argument', message });
    await freed(served);
  }
});

test('a client that takes no answers loses its loop', async () => {
  const served = await serve({ idleTimeoutMs: 300 });
  const examples = 256;
  const { exampleClips } = wide(examples);
  const call = served.client.optimize();
  await call.send(open({ exampleClips }));
  for (const [slot, dims] of [
    ['x0/waveform', [2, SAMPLES]],
    ['x0/frames', [2, ...FRAME_DIMS]],
    ['targets', [examples, LABELS]],
  ] as const)
    await call.send(upload(slot, dims));
  // More than all buffers on the way hold.
  const fetching = (async () => {
    for (let i = 0; i < 500; i++)
      await call.send({ kind: { $case: 'fetch', value: { slots: ['x/waveform'], examples: [] } } });
  })().catch(() => {});
  while (served.admission.usage.slots === 0) await sleep(5);
  await freed(served);
  call.cancel();
  await fetching;
});

/** Many examples of the two clips. */
function wide(examples: number) {
  return { exampleClips: Array.from({ length: examples }, (_, i) => i % 2), targets: targetsOf(examples) };
}

/** A program whose step takes long enough to be caught at work: a product of large matrices, of which nothing is left. */
const slowStep = program((b) => {
  const side = 400;
  const ones = b.op('Expand', [b.reshape(b.read('loss'), [-1, 1, 1]), b.ints([1, side, side])]);
  let product = ones;
  for (let i = 0; i < 4; i++) product = b.times(b.matmul(product, ones), b.scalar(1 / side));
  const nothing = b.times(b.reduceSum(product, [1, 2], false), b.scalar(0));
  const moved = b.plus(b.read('x/waveform', [SAMPLES]), b.reshape(nothing, [-1, 1]));
  b.write('next/waveform', moved);
});

const slowPlan = planOf({ programs: { objective: sumOfTargets(), step: slowStep } });

test('a cancelled loop stops within a message of work, and its memory is free', async () => {
  let turns = 0;
  const served = await serve({
    slots: 1,
    bytes: 2 ** 30,
    observe: () => {
      turns++;
    },
  });
  const leaving = new AbortController();
  const loop = await served.remote.open(slowPlan, {}, { signal: leaving.signal });
  const working = loop.step({ steps: 64, parameters: {} });
  await sleep(50);
  leaving.abort();
  await assert.rejects(working, { code: 'cancelled' });
  await freed(served);
  const done = turns;
  await served.remote.predict(inputs);
  assert.equal(turns, done + 1, 'nothing but the prediction was computed');
});

test('health answers while the compute thread works', async () => {
  const served = await serve({ bytes: 2 ** 30 });
  using health = connect(HealthService, served.address);
  await using loop = await served.remote.open(slowPlan, {});
  const order: string[] = [];
  const working = loop.step({ steps: 64, parameters: {} }).then(() => order.push('step'));
  await sleep(20);
  assert.equal((await health.check({ service: '' })).status, ServingStatus.SERVING);
  order.push('health');
  await working;
  assert.deepEqual(order, ['health', 'step']);
});

test('a client that is killed leaves nothing behind', async () => {
  const served = await serve({ slots: 1, bytes: 2 ** 30 });
  const client = spawn(process.execPath, [CLIENT, served.address], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(client.stdout, 'data');
  assert.equal(served.admission.usage.slots, 1);
  client.kill('SIGKILL');
  await once(client, 'exit');
  await freed(served);
  await using loop = await served.remote.open(planOf(), {});
  assert.equal((await loop.step(step)).stepsDone, 1);
});

const CLIENT = fileURLToPath(new URL('./test-support/endless-client.ts', import.meta.url));

test('a service that closes while it computes ends in order', async () => {
  const served = await serveVictim({ bytes: 2 ** 30 });
  await using remote = new RemoteVictim(served.address);
  const loop = await remote.open(slowPlan, {});
  const told = assert.rejects(loop.step({ steps: 64, parameters: {} }), { code: 'unavailable' });
  await sleep(20);
  await served[Symbol.asyncDispose]();
  await told;
  await assert.rejects(served.compute.run({ kind: 'close', loop: 0 }), { code: 'unavailable' });
});

test('when the compute thread dies, calls are told and health says NOT_SERVING', async () => {
  const threads: Worker[] = [];
  const onWorker = (worker: Worker) => threads.push(worker);
  process.on('worker', onWorker);
  const served = await serve({ bytes: 2 ** 30 });
  process.off('worker', onWorker);
  using health = connect(HealthService, served.address);
  await using loop = await served.remote.open(planOf(), {});
  await loop.step(step);
  await threads[0]?.terminate();
  await assert.rejects(loop.step(step), { code: 'unavailable', message: /the compute thread is gone/ });
  assert.match((await served.compute.died).message, /exited/);
  assert.equal((await health.check({ service: '' })).status, ServingStatus.NOT_SERVING);
  await assert.rejects(served.remote.predict(inputs), { code: 'unavailable' });
  await freed(served);
});
