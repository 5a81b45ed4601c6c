import { availableParallelism } from 'node:os';
import type { Model } from '@faultline/onnx';
import { type Feeds, Session, type SessionOptions } from '@faultline/ort';
import { interleave } from './timing.ts';

/** How the runtime runs a model. */
export type Setting = Required<Pick<SessionOptions, 'threads' | 'waiting'>>;

const TRIAL_ROUNDS = 3;

/** One thread or all, threads that sleep or spin: whichever runs a model fastest. Graph optimisation is 'all' throughout. */
export async function bestSetting(model: Model, feeds: Feeds): Promise<Setting> {
  const cores = availableParallelism();
  const settings: Setting[] = [
    { threads: cores, waiting: 'sleep' },
    { threads: cores, waiting: 'spin' },
    ...(cores > 1 ? [{ threads: 1, waiting: 'sleep' } as const] : []),
  ];
  let best: { setting: Setting; ms: number } | undefined;
  for (const setting of settings) {
    await using session = await Session.create(model, setting);
    const [timing] = await interleave([() => session.run(feeds)], TRIAL_ROUNDS);
    const ms = timing?.fastestMs ?? Number.POSITIVE_INFINITY;
    if (best === undefined || ms < best.ms) best = { setting, ms };
  }
  if (best === undefined) throw new Error('no setting was tried');
  return best.setting;
}
