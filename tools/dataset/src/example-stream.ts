import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { loadShared, type SharedSources } from './sources.ts';
import type { Split } from './splits.ts';

export interface BatchStreamOptions {
  readonly packDir: string;
  readonly split: Split;
  readonly seed: number;
  readonly batchSize: number;
  /** Examples in all; the last batch may be smaller. */
  readonly count: number;
  /** Index of the first example, 0 unless given. */
  readonly start?: number;
  /** True unless given for the training split, false for the others. */
  readonly augment?: boolean;
  /** Worker threads, 1 unless given. The batches do not depend on it. */
  readonly workers?: number;
  /** Where decoded packs are kept, `.cache/dataset` of the checkout unless given. */
  readonly cacheDir?: string;
}

/** Consecutive examples, each tensor's first axis being the batch. Target vectors are 0/1 in the order of `LABELS`. */
export interface ExampleBatch {
  /** Index of the first example. */
  readonly start: number;
  readonly size: number;
  /** `[size, 32000]`, amplitude in [-1, 1]. */
  readonly waveform: Float32Array<ArrayBuffer>;
  /** `[size, 8, 3, 64, 64]`. */
  readonly frames: Uint8Array<ArrayBuffer>;
  /** `[size, labels]`. */
  readonly targets: Float32Array<ArrayBuffer>;
  readonly audioTargets: Float32Array<ArrayBuffer>;
  readonly visualTargets: Float32Array<ArrayBuffer>;
}

export interface WorkerSetup {
  readonly shared: SharedSources;
  readonly split: Split;
  readonly seed: number;
  readonly augment: boolean;
}

export interface BatchRequest {
  readonly start: number;
  readonly size: number;
}

/** Batches that a worker has ready or in work, so that the reader does not wait. */
const AHEAD_PER_WORKER = 3;

/** Composes batches in worker threads, ahead of the reader and in order. Leaving the loop early stops the workers. */
export async function* exampleStream(options: BatchStreamOptions): AsyncGenerator<ExampleBatch, void, void> {
  const {
    packDir,
    split,
    seed,
    batchSize,
    count,
    start = 0,
    augment = split === 'train',
    workers: wanted = 1,
  } = options;
  if (!(Number.isInteger(batchSize) && batchSize > 0))
    throw new RangeError(`batchSize is ${batchSize}; expected at least 1`);
  const shared = await loadShared(packDir, options.cacheDir);
  const setup: WorkerSetup = { shared, split, seed, augment };
  const workers = Array.from({ length: Math.max(1, wanted) }, () => {
    return new Worker(new URL('./example-worker.ts', import.meta.url), { workerData: setup });
  });
  const ready = new Map<number, ExampleBatch>();
  const failure = new AbortController();
  const arrival = new EventTarget();
  for (const worker of workers) {
    worker.on('message', (batch: ExampleBatch) => {
      ready.set(batch.start, batch);
      arrival.dispatchEvent(new Event('batch'));
    });
    worker.on('error', (error) => failure.abort(error));
  }
  const end = start + count;
  let asked = start;
  let turn = 0;
  const ask = (): void => {
    if (asked >= end) return;
    const request: BatchRequest = { start: asked, size: Math.min(batchSize, end - asked) };
    workers[turn++ % workers.length]?.postMessage(request);
    asked += request.size;
  };
  try {
    for (let ahead = 0; ahead < AHEAD_PER_WORKER * workers.length; ahead++) ask();
    for (let next = start; next < end; next += batchSize) {
      while (!ready.has(next)) {
        // An abort only ends the wait: what the worker threw says more.
        await once(arrival, 'batch', { signal: failure.signal }).catch(() => failure.signal.throwIfAborted());
      }
      const batch = ready.get(next);
      ready.delete(next);
      ask();
      if (batch) yield batch;
    }
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
