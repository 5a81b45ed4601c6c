import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { Shard, ShardIndex } from '../set/shards.ts';
import type { BuiltItem, ThreadAnswer, ThreadSetup, ThreadTask } from './composing-worker.ts';

/** A thread that composes clips, one task after the other. */
export class ComposingThread implements AsyncDisposable {
  readonly #worker: Worker;

  constructor(setup: ThreadSetup) {
    this.#worker = new Worker(new URL('./composing-worker.ts', import.meta.url), { workerData: setup });
  }

  /** Composes and writes a shard. @throws what went wrong in the thread. */
  async makeShard(shard: Shard<BuiltItem>): Promise<ShardIndex> {
    const { index } = await this.#run({ kind: 'shard', shard });
    if (index === null) throw new Error(`shard ${shard.key} has no index`);
    return index;
  }

  /** Composes and writes a media file. @throws what went wrong in the thread. */
  async writeMedia(item: BuiltItem): Promise<void> {
    await this.#run({ kind: 'media', item });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }

  async #run(task: ThreadTask): Promise<ThreadAnswer> {
    this.#worker.postMessage(task);
    const [answer]: unknown[] = await once(this.#worker, 'message');
    const { error, ...rest } = answer as ThreadAnswer;
    if (error !== null) throw error;
    return { error, ...rest };
  }
}
