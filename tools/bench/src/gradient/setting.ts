import { availableParallelism } from 'node:os';
import type { Model } from '@faultline/onnx';
import { type Feeds, Session, type SessionOptions } from '@faultline/ort';
import { interleave } from '../timing.ts';

/** How the runtime runs a model. */
export type Setting = Required<Pick<SessionOptions, 'threads' | 'waiting' | 'memory'>>;

const TRIAL_ROUNDS = 5;

/** One thread or all, threads that sleep or spin, memory kept or returned: whichever runs a model fastest. Graph optimisation is 'all' throughout. */
export async function bestSetting(model: Model, feeds: Feeds): Promise<Setting> {
  const cores = availableParallelism();
  const settings: Setting[] = [
    { threads: cores, waiting: 'sleep', memory: 'kept' },
    { threads: cores, waiting: 'spin', memory: 'kept' },
    { threads: cores, waiting: 'sleep', memory: 'returned' },
    ...(cores > 1 ? [{ threads: 1, waiting: 'sleep', memory: 'kept' } as const] : []),
  ];
  const sessions = await Promise.all(settings.map((setting) => Session.create(model, setting)));
  const timings = await interleave(
    sessions.map((session) => () => session.run(feeds)),
    TRIAL_ROUNDS,
  );
  for (const session of sessions) await session[Symbol.asyncDispose]();
  const fastest = timings.map(({ fastestMs }) => fastestMs);
  const best = settings[fastest.indexOf(Math.min(...fastest))];
  if (best === undefined) throw new Error('no setting was tried');
  return best;
}
