import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { parentPort, workerData } from 'node:worker_threads';
import type { Loop, Tensors } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { toJobError } from './job-error.ts';
import type { FromWorker, Job, JobKind, Jobs, ToWorker, WorkerSettings } from './worker-protocol.ts';

/**
 * The thread that computes. The runtime blocks its thread, so everything that must not stall (health, deadlines, other calls)
 * stays on the main thread, and this one does one job after another.
 */
if (parentPort === null) throw new Error('this module runs as a worker thread');
const port = parentPort;
const settings = workerData as WorkerSettings;
const { victimDir, ...options } = settings;
const victim = await LocalVictim.fromFolder(victimDir, options);
const loops = new Map<number, Loop>();

function loopOf(id: number) {
  const loop = loops.get(id);
  if (loop === undefined) throw new RangeError(`there is no loop ${id}`);
  return loop;
}

/** A thread that waits collects no garbage: without this a closed loop's tensors would stay until the next one comes. */
setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

async function perform(job: Job): Promise<Jobs[JobKind]['result']> {
  switch (job.kind) {
    case 'predict':
      return victim.predict(job.inputs, { taps: job.taps, tapValues: job.tapValues });
    case 'differentiate':
      return victim.differentiate(job.request);
    case 'estimate':
      return victim.estimate(job.shape);
    case 'prepare': {
      const loop = await victim.prepare(job.plan);
      loops.set(job.loop, loop);
      return loop.examples;
    }
    case 'restart':
      await loopOf(job.loop).restart(job.parameters);
      return loopOf(job.loop).examples;
    case 'step':
      return loopOf(job.loop).step(job.options);
    case 'keep':
      await loopOf(job.loop).keep(job.examples);
      return loopOf(job.loop).examples;
    case 'rebatch':
      await loopOf(job.loop).rebatch(job.batch);
      return loopOf(job.loop).examples;
    case 'fetch':
      return loopOf(job.loop).fetch(job.slots, job.examples);
    case 'close':
      await loops.get(job.loop)?.[Symbol.asyncDispose]();
      loops.delete(job.loop);
      return undefined;
  }
}

/** Fetched tensors are copies already: they are handed over. */
function handedOver(job: Job, result: Jobs[JobKind]['result']): ArrayBuffer[] {
  if (job.kind !== 'fetch') return [];
  return [...new Set([...(result as Tensors).values()].map(({ data }) => data.buffer))].filter(
    (buffer) => buffer instanceof ArrayBuffer,
  );
}

const send = (message: FromWorker, transfer: readonly ArrayBuffer[] = []) => port.postMessage(message, [...transfer]);

/** One job at a time: `perform` awaits between runs, and the next message must not slip in. */
let turn: Promise<void> = Promise.resolve();

async function answer({ id, job }: ToWorker): Promise<void> {
  try {
    const result = await perform(job);
    send({ kind: 'done', id, result }, handedOver(job, result));
    if (job.kind === 'close') collectGarbage();
  } catch (error) {
    send({ kind: 'failed', id, error: toJobError(error, job.kind) });
  }
}

port.on('message', (message: ToWorker) => {
  turn = turn.then(() => answer(message));
});
send({ kind: 'ready', description: await victim.describe() });
