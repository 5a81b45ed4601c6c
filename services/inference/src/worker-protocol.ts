import type { LoopPlan, Prediction, StepOptions, StepResult, Tensors, VictimDescription } from '@faultline/victim';

/** What the worker is started with. */
export interface WorkerSettings {
  readonly victimDir: string;
  readonly threads: number;
  readonly optimizeSlots: number;
}

type Parameters = Readonly<Record<string, Float32Array>>;

/** What the service asks of the worker, by kind: its arguments and its result. */
export interface Jobs {
  readonly predict: { readonly arguments: { readonly inputs: Tensors }; readonly result: Prediction };
  readonly prepare: { readonly arguments: { readonly loop: number; readonly plan: LoopPlan }; readonly result: number };
  readonly restart: {
    readonly arguments: { readonly loop: number; readonly parameters: Parameters };
    readonly result: number;
  };
  readonly step: {
    readonly arguments: { readonly loop: number; readonly options: StepOptions };
    readonly result: StepResult;
  };
  readonly keep: {
    readonly arguments: { readonly loop: number; readonly examples: readonly number[] };
    readonly result: number;
  };
  readonly fetch: {
    readonly arguments: {
      readonly loop: number;
      readonly slots: readonly string[];
      readonly examples: readonly number[] | undefined;
    };
    readonly result: Tensors;
  };
  readonly close: { readonly arguments: { readonly loop: number }; readonly result: undefined };
}

export type JobKind = keyof Jobs;

/** A job of any kind, with its arguments. */
export type Job = { readonly [Kind in JobKind]: { readonly kind: Kind } & Jobs[Kind]['arguments'] }[JobKind];

export type ToWorker = { readonly id: number; readonly job: Job };

/** An error on its way between threads. */
export interface JobError {
  /** Whether the request was at fault. */
  readonly fault: 'request' | 'worker';
  /** Field of the request that was at fault, where known. */
  readonly field: string;
  readonly message: string;
}

export type FromWorker =
  | { readonly kind: 'ready'; readonly description: VictimDescription }
  | { readonly kind: 'done'; readonly id: number; readonly result: Jobs[JobKind]['result'] }
  | { readonly kind: 'failed'; readonly id: number; readonly error: JobError };
