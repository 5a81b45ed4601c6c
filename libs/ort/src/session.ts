import { type DataType, encodeModel, GraphBuilder, type Model } from '@faultline/onnx';
import { InferenceSession, listSupportedBackends } from 'onnxruntime-node';
import type { OrtTensor } from './tensors.ts';

export interface SessionOptions {
  /** Threads of one evaluation; default 1. */
  readonly threads?: number;
  /** Graph optimisation: 'all' for speed; 'basic' for float64, since fused kernels are float32 only. Default 'all'. */
  readonly optimization?: 'all' | 'basic' | 'disabled';
  /**
   * What threads do between two pieces of work: 'sleep' leaves the cores to other processes; 'spin' is faster where there
   * are none. Default 'sleep'.
   */
  readonly waiting?: 'sleep' | 'spin';
  /**
   * What becomes of an evaluation's memory. 'kept': the session holds the most that one evaluation ever took, for the next
   * one; up to a third faster, for fresh pages cost as much as computing. 'returned': given back after each evaluation.
   * Default 'returned'.
   */
  readonly memory?: 'kept' | 'returned';
  /** What computes: the processor, or a graphics card where the runtime has CUDA. Default 'cpu'. */
  readonly executionProvider?: ExecutionProvider;
}

export const EXECUTION_PROVIDERS = ['cpu', 'cuda'] as const;
export type ExecutionProvider = (typeof EXECUTION_PROVIDERS)[number];

/** The runtime here cannot compute on what was asked for; the message says what to do. */
export class ExecutionProviderError extends Error {
  override name = 'ExecutionProviderError';

  constructor(provider: ExecutionProvider, options?: ErrorOptions) {
    super(
      `the execution provider '${provider}' is not available: its libraries are not installed beside the runtime, or there ` +
        `is no card that they know; install them, or choose 'cpu'`,
      options,
    );
  }
}

/** An output as the runtime sees it at loading. */
export interface OutputType {
  readonly name: string;
  readonly dataType: DataType;
  readonly dims: readonly (number | undefined)[];
}

/** Values by name. */
export type Feeds = Readonly<Record<string, OrtTensor>>;

/** Wanted values by name: memory to write them into, or null for the runtime to make it. */
export type Outputs = Readonly<Record<string, OrtTensor | null>>;

/**
 * A loaded model. `run` computes on the calling thread and blocks it: services keep sessions in a worker thread.
 * CPU tensors are used in place, so an output may be fed back as an input without a copy.
 */
export class Session implements AsyncDisposable {
  readonly #session: InferenceSession;

  private constructor(session: InferenceSession) {
    this.#session = session;
  }

  /**
   * @throws Error when the runtime refuses the model; its message names the node.
   * @throws ExecutionProviderError when the runtime lacks what was asked for; it never falls back to another.
   */
  static async create(model: Model | Uint8Array, options: SessionOptions = {}): Promise<Session> {
    const { executionProvider = 'cpu' } = options;
    if (executionProvider !== 'cpu') await probe(executionProvider);
    const bytes = model instanceof Uint8Array ? model : encodeModel(model);
    const session = await InferenceSession.create(bytes, {
      executionProviders: [executionProvider],
      intraOpNumThreads: options.threads ?? 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: options.optimization ?? 'all',
      // Errors are thrown; printing them too would let hostile programs fill a log.
      logSeverityLevel: 4,
      enableCpuMemArena: options.memory === 'kept',
      // Pools of several processes on few cores would spin against each other.
      extra: { session: { intra_op: { allow_spinning: options.waiting === 'spin' ? '1' : '0' } } },
    });
    return new Session(session);
  }

  get inputNames(): readonly string[] {
    return this.#session.inputNames;
  }

  get outputNames(): readonly string[] {
    return this.#session.outputNames;
  }

  /** What the runtime infers of each output before anything runs; `dims` hold undefined where it cannot tell a size. */
  get outputTypes(): readonly OutputType[] {
    return this.#session.outputMetadata.flatMap((output) => {
      if (!output.isTensor) return [];
      const dims = output.shape.map((size) => (typeof size === 'number' ? size : undefined));
      return [{ name: output.name, dataType: output.type as DataType, dims }];
    });
  }

  /**
   * Evaluates the model. `outputs` limits what is computed and returned to these names; where a tensor is given with a name,
   * the result is written into its memory, which must not be one of the inputs.
   */
  async run(feeds: Feeds, outputs?: readonly string[] | Outputs): Promise<Record<string, OrtTensor>> {
    const wanted: Outputs | undefined = isNames(outputs)
      ? Object.fromEntries(outputs.map((name) => [name, null]))
      : outputs;
    const results = await (wanted === undefined ? this.#session.run(feeds) : this.#session.run(feeds, { ...wanted }));
    return results as Record<string, OrtTensor>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.release();
  }
}

const isNames = (outputs: readonly string[] | Outputs | undefined): outputs is readonly string[] =>
  Array.isArray(outputs);

/** Asks for a provider with the smallest model, so that its absence is told from a model's own faults. */
async function probe(executionProvider: ExecutionProvider): Promise<void> {
  if (!listSupportedBackends().some(({ name }) => name === executionProvider)) {
    throw new ExecutionProviderError(executionProvider);
  }
  const g = new GraphBuilder();
  g.output(g.op('Identity', [g.input('x', [1])]), [1]);
  const session = await InferenceSession.create(encodeModel(g.model()), {
    executionProviders: [executionProvider],
    logSeverityLevel: 4,
  }).catch((cause: unknown) => {
    throw new ExecutionProviderError(executionProvider, { cause });
  });
  await session.release();
}
