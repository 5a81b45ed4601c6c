import { parentPort, workerData } from 'node:worker_threads';
import { OnnxError } from '@faultline/onnx';
import { LocalVictim, ProgramError } from '@faultline/victim-local';
import type { FromWorker, Job, JobError, JobKind, Jobs, ToWorker, WorkerSettings } from './worker-protocol.ts';

/**
 * The thread that computes. The runtime blocks its thread, so everything that must not stall (health, deadlines, other calls)
 * stays on the main thread, and this one does one job after another.
 */
if (parentPort === null) throw new Error('this module runs as a worker thread');
const port = parentPort;
const settings = workerData as WorkerSettings;
const victim = await LocalVictim.fromFolder(settings.victimDir, settings);
const loops = new Map<number, Awaited<ReturnType<LocalVictim['prepare']>>>();

function loopOf(id: number) {
  const loop = loops.get(id);
  if (loop === undefined) throw new RangeError(`there is no loop ${id}`);
  return loop;
}

async function perform(job: Job): Promise<Jobs[JobKind]['result']> {
  switch (job.kind) {
    case 'predict':
      return victim.predict(job.inputs);
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
    case 'fetch':
      return loopOf(job.loop).fetch(job.slots, job.examples);
    case 'close':
      await loops.get(job.loop)?.[Symbol.asyncDispose]();
      loops.delete(job.loop);
      return undefined;
  }
}

function toJobError(error: unknown): JobError {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof ProgramError) return { fault: 'request', field: `programs.${error.role}`, message };
  // Programs that do not fit the victim show when they are composed; the victim itself was read at the start.
  if (error instanceof OnnxError) return { fault: 'request', field: 'programs', message };
  if (error instanceof RangeError) return { fault: 'request', field: '', message };
  return { fault: 'worker', field: '', message };
}

const send = (message: FromWorker) => port.postMessage(message);

/** One job at a time: `perform` awaits between runs, and the next message must not slip in. */
let turn: Promise<void> = Promise.resolve();

async function answer({ id, job }: ToWorker): Promise<void> {
  try {
    send({ kind: 'done', id, result: await perform(job) });
  } catch (error) {
    send({ kind: 'failed', id, error: toJobError(error) });
  }
}

port.on('message', (message: ToWorker) => {
  turn = turn.then(() => answer(message));
});
send({ kind: 'ready', description: await victim.describe() });
