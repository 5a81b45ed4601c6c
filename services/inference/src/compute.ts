import { Worker } from 'node:worker_threads';
import { FaultlineError } from '@faultline/service-kit';
import type { VictimDescription } from '@faultline/victim';
import { type Pending, Turns } from './turns.ts';
import type { FromWorker, Job, JobError, JobKind, Jobs, ToWorker, WorkerSettings } from './worker-protocol.ts';

/** Told of every turn: what was done, how long it waited and how long it took, in milliseconds. */
export type TurnObserver = (kind: JobKind, waitMs: number, workMs: number) => void;

function toFaultlineError({ fault, field, message, stack }: JobError): FaultlineError {
  switch (fault) {
    case 'request':
      return field === '' ? new FaultlineError('invalid_argument', message) : FaultlineError.invalid(field, message);
    case 'precondition':
      return new FaultlineError('failed_precondition', message);
    case 'memory':
      return new FaultlineError('resource_exhausted', message);
    case 'worker': {
      const cause = new Error(message);
      cause.stack = stack ?? cause.stack;
      return new FaultlineError('internal', message, { cause });
    }
  }
}

/** The compute thread as seen from the service: jobs go in one at a time, in the order of `Turns`. */
export class Compute implements AsyncDisposable {
  readonly description: VictimDescription;
  /** Resolves with the reason when the thread has died; never when it was disposed of. */
  readonly died: Promise<Error>;
  readonly #worker: Worker;
  readonly #turns = new Turns();
  readonly #observe: TurnObserver;
  readonly #death = Promise.withResolvers<Error>();
  #running: Pending | undefined;
  #startedAt = 0;
  #nextId = 0;
  #nextLoop = 0;
  #dead: Error | undefined;
  #disposed = false;

  private constructor(worker: Worker, description: VictimDescription, observe: TurnObserver) {
    this.#worker = worker;
    this.description = description;
    this.#observe = observe;
    this.died = this.#death.promise;
    worker.on('message', (message: FromWorker) => this.#settle(message));
    worker.on('error', (error) => this.#die(error));
    worker.on('exit', (code) => this.#die(new Error(`it exited with code ${code}`)));
  }

  /**
   * Starts the thread and loads the victim.
   * @throws Error when the victim cannot be loaded; the message says why.
   */
  static async start(settings: WorkerSettings, observe: TurnObserver = () => {}): Promise<Compute> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: settings });
    const ready = Promise.withResolvers<VictimDescription>();
    worker.once('message', (message: FromWorker) => {
      if (message.kind === 'ready') ready.resolve(message.description);
    });
    worker.once('error', ready.reject);
    const description = await ready.promise;
    worker.off('error', ready.reject);
    return new Compute(worker, description, observe);
  }

  /** Whether the thread lives. */
  get alive(): boolean {
    return this.#dead === undefined;
  }

  /** A number for a new loop. */
  nextLoop(): number {
    return this.#nextLoop++;
  }

  /**
   * Queues a job. When `signal` aborts before its turn, the job is dropped; one that is running is finished (about a second at most).
   * @param transfer buffers that are handed over rather than copied; the caller must not use them again
   * @throws FaultlineError
   */
  async run<Kind extends JobKind>(
    job: { readonly kind: Kind } & Jobs[Kind]['arguments'],
    signal?: AbortSignal,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<Jobs[Kind]['result']> {
    if (this.#dead !== undefined)
      throw new FaultlineError('unavailable', 'the compute thread is gone', { cause: this.#dead });
    if (this.#disposed) throw new FaultlineError('unavailable', 'the service is shutting down');
    signal?.throwIfAborted();
    const pending: Pending = {
      id: this.#nextId++,
      job: job as Job,
      transfer,
      queuedAt: performance.now(),
      settle: Promise.withResolvers(),
    };
    this.#turns.add(pending);
    const drop = () => this.#turns.drop(pending);
    signal?.addEventListener('abort', drop, { once: true });
    try {
      this.#startNext();
      return (await pending.settle.promise) as Jobs[Kind]['result'];
    } finally {
      signal?.removeEventListener('abort', drop);
    }
  }

  #startNext(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#turns.take();
    if (this.#running === undefined) return;
    const message: ToWorker = { id: this.#running.id, job: this.#running.job };
    this.#startedAt = performance.now();
    try {
      this.#worker.postMessage(message, [...this.#running.transfer]);
    } catch (error) {
      this.#running.settle.reject(error);
      this.#running = undefined;
      this.#startNext();
    }
  }

  #settle(message: FromWorker): void {
    if (message.kind === 'ready' || this.#running?.id !== message.id) return;
    const { settle, job, queuedAt } = this.#running;
    this.#running = undefined;
    // The next turn begins before this one's caller is told: the thread need not wait for messages.
    const startedAt = this.#startedAt;
    this.#startNext();
    this.#observe(job.kind, startedAt - queuedAt, performance.now() - startedAt);
    if (message.kind === 'done') settle.resolve(message.result);
    else settle.reject(toFaultlineError(message.error));
  }

  #die(error: Error): void {
    if (this.#dead !== undefined) return;
    this.#dead = error;
    const waiting = [this.#running, ...this.#turns.clear()];
    this.#running = undefined;
    for (const pending of waiting)
      pending?.settle.reject(new FaultlineError('unavailable', `the compute thread ended: ${error.message}`));
    if (!this.#disposed) this.#death.resolve(error);
  }

  /** Ends the thread after the job that runs: the runtime takes the whole process along when it is ended at work. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    const closing = new FaultlineError('unavailable', 'the service is shutting down');
    for (const { settle } of this.#turns.clear()) settle.reject(closing);
    await this.#running?.settle.promise.catch(() => {});
    await this.#worker.terminate();
  }
}
