import type {
  DifferentiateRequest,
  Gradients,
  LoopBatch,
  LoopFootprint,
  LoopPlan,
  LoopShape,
  Parameters,
  Prediction,
  StepOptions,
  StepResult,
  Tensors,
  VictimDescription,
} from '@faultline/victim';

/** What the worker is started with. */
export interface WorkerSettings {
  readonly victimDir: string;
  readonly threads: number;
  readonly optimizeSlots: number;
  /** Memory that compiled programs may keep, in bytes. */
  readonly sessionBytes?: number | undefined;
}

/** A job on an open loop. */
interface OnLoop {
  readonly loop: number;
}

/** What the service asks of the worker, by kind: its arguments and its result. Loops answer with the examples that they hold. */
export interface Jobs {
  readonly predict: {
    readonly arguments: { readonly inputs: Tensors; readonly taps: readonly string[]; readonly tapValues: Tensors };
    readonly result: Prediction;
  };
  readonly differentiate: {
    readonly arguments: { readonly request: DifferentiateRequest };
    readonly result: Gradients;
  };
  readonly estimate: { readonly arguments: { readonly shape: LoopShape }; readonly result: LoopFootprint };
  readonly prepare: { readonly arguments: OnLoop & { readonly plan: LoopPlan }; readonly result: number };
  readonly restart: { readonly arguments: OnLoop & { readonly parameters: Parameters }; readonly result: number };
  readonly step: { readonly arguments: OnLoop & { readonly options: StepOptions }; readonly result: StepResult };
  readonly keep: { readonly arguments: OnLoop & { readonly examples: readonly number[] }; readonly result: number };
  readonly rebatch: { readonly arguments: OnLoop & { readonly batch: LoopBatch }; readonly result: number };
  readonly fetch: {
    readonly arguments: OnLoop & {
      readonly slots: readonly string[];
      readonly examples: readonly number[] | undefined;
    };
    readonly result: Tensors;
  };
  readonly close: { readonly arguments: OnLoop; readonly result: undefined };
}

export type JobKind = keyof Jobs;

/** A job of any kind, with its arguments. */
export type Job = { readonly [Kind in JobKind]: { readonly kind: Kind } & Jobs[Kind]['arguments'] }[JobKind];

export type ToWorker = { readonly id: number; readonly job: Job };

/** An error on its way between threads. */
export interface JobError {
  /** What was at fault: the request, what the victim can do (a precondition), or this thread. */
  readonly fault: 'request' | 'precondition' | 'memory' | 'worker';
  /** Field of the request that was at fault, where known. */
  readonly field: string;
  readonly message: string;
  readonly stack: string | undefined;
}

export type FromWorker =
  | { readonly kind: 'ready'; readonly description: VictimDescription }
  | { readonly kind: 'done'; readonly id: number; readonly result: Jobs[JobKind]['result'] }
  | { readonly kind: 'failed'; readonly id: number; readonly error: JobError };
