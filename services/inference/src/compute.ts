import { Worker } from 'node:worker_threads';
import { FaultlineError } from '@faultline/service-kit';
import type { VictimDescription } from '@faultline/victim';
import type { FromWorker, Job, JobError, Jobs, ToWorker, WorkerSettings } from './worker-protocol.ts';

interface Pending {
  readonly id: number;
  readonly job: Job;
  readonly settle: PromiseWithResolvers<Jobs[Job['kind']]['result']>;
}

function toFaultlineError({ fault, field, message }: JobError): FaultlineError {
  if (fault === 'worker') return new FaultlineError('internal', message);
  return field === '' ? new FaultlineError('invalid_argument', message) : FaultlineError.invalid(field, message);
}

/** The compute thread as seen from the service: jobs go in one at a time, predictions before attack loops, first in first out. */
export class Compute implements AsyncDisposable {
  readonly description: VictimDescription;
  readonly #worker: Worker;
  readonly #predictions: Pending[] = [];
  readonly #steps: Pending[] = [];
  #running: Pending | undefined;
  #nextId = 0;
  #nextLoop = 0;
  #dead: Error | undefined;

  private constructor(worker: Worker, description: VictimDescription) {
    this.#worker = worker;
    this.description = description;
    worker.on('message', (message: FromWorker) => this.#settle(message));
    worker.on('error', (error) => this.#die(error));
    worker.on('exit', () => this.#die(new Error('the compute thread ended')));
  }

  /**
   * Starts the thread and loads the victim.
   * @throws Error when the victim cannot be loaded; the message says why.
   */
  static async start(settings: WorkerSettings): Promise<Compute> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { workerData: settings });
    const ready = Promise.withResolvers<VictimDescription>();
    worker.once('message', (message: FromWorker) => {
      if (message.kind === 'ready') ready.resolve(message.description);
    });
    worker.once('error', ready.reject);
    const description = await ready.promise;
    worker.off('error', ready.reject);
    return new Compute(worker, description);
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
   * @throws FaultlineError
   */
  async run<Kind extends Job['kind']>(
    job: { readonly kind: Kind } & Jobs[Kind]['arguments'],
    signal?: AbortSignal,
  ): Promise<Jobs[Kind]['result']> {
    if (this.#dead !== undefined)
      throw new FaultlineError('unavailable', 'the compute thread is gone', { cause: this.#dead });
    signal?.throwIfAborted();
    const pending: Pending = { id: this.#nextId++, job: job as Job, settle: Promise.withResolvers() };
    const queue = job.kind === 'predict' ? this.#predictions : this.#steps;
    queue.push(pending);
    const drop = () => {
      const index = queue.indexOf(pending);
      if (index < 0) return;
      queue.splice(index, 1);
      pending.settle.reject(new FaultlineError('cancelled', 'the call was cancelled before its turn'));
    };
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
    this.#running = this.#predictions.shift() ?? this.#steps.shift();
    if (this.#running === undefined) return;
    const message: ToWorker = { id: this.#running.id, job: this.#running.job };
    try {
      this.#worker.postMessage(message);
    } catch (error) {
      this.#running.settle.reject(error);
      this.#running = undefined;
    }
  }

  #settle(message: FromWorker): void {
    if (message.kind === 'ready' || this.#running?.id !== message.id) return;
    const { settle } = this.#running;
    this.#running = undefined;
    if (message.kind === 'done') settle.resolve(message.result);
    else settle.reject(toFaultlineError(message.error));
    this.#startNext();
  }

  #die(error: Error): void {
    this.#dead ??= error;
    const waiting = [this.#running, ...this.#predictions.splice(0), ...this.#steps.splice(0)];
    this.#running = undefined;
    for (const pending of waiting)
      pending?.settle.reject(new FaultlineError('unavailable', `the compute thread ended: ${error.message}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker.terminate();
  }
}
