import { FaultlineError } from '@faultline/service-kit';
import type { Job, JobKind, Jobs } from './worker-protocol.ts';

/** A job that waits for its turn, or runs. */
export interface Pending {
  readonly id: number;
  readonly job: Job;
  /** Buffers that the job hands over. */
  readonly transfer: readonly ArrayBuffer[];
  /** When it was queued, of `performance.now()`. */
  readonly queuedAt: number;
  readonly settle: PromiseWithResolvers<Jobs[JobKind]['result']>;
}

/** What is freed comes first, then what a person may wait for; loops take turns. Within a rank: first in, first out. */
const RANK: Readonly<Record<JobKind, 0 | 1 | 2>> = {
  close: 0,
  predict: 1,
  estimate: 2,
  differentiate: 2,
  prepare: 2,
  restart: 2,
  step: 2,
  keep: 2,
  rebatch: 2,
  fetch: 2,
};

/** The order in which jobs come to the one thread that computes. */
export class Turns {
  readonly #ranks: readonly [Pending[], Pending[], Pending[]] = [[], [], []];

  add(pending: Pending): void {
    this.#ranks[RANK[pending.job.kind]].push(pending);
  }

  /** The job whose turn it is, or undefined. */
  take(): Pending | undefined {
    return this.#ranks[0].shift() ?? this.#ranks[1].shift() ?? this.#ranks[2].shift();
  }

  /** Takes a job out whose caller has gone; does nothing when its turn has come. */
  drop(pending: Pending): void {
    const queue = this.#ranks[RANK[pending.job.kind]];
    const index = queue.indexOf(pending);
    if (index < 0) return;
    queue.splice(index, 1);
    pending.settle.reject(new FaultlineError('cancelled', 'the call was cancelled before its turn'));
  }

  /** Takes all jobs. */
  clear(): Pending[] {
    return this.#ranks.flatMap((queue) => queue.splice(0));
  }
}
