import { type DenseTensor, openInference, type victim } from '@faultline/contracts';
import { type Client, connect, FaultlineError } from '@faultline/service-kit';
import type { CallOptions, Cost, Tensors } from '@faultline/victim';
import { batchRows, joinAll, rowRanges, sliceAll } from './batch-parts.ts';
import { checkMetadata } from './oip-metadata.ts';
import { answerTensor, requestTensor } from './oip-tensors.ts';
import { QueryCount } from './query-count.ts';

/** Rows of a request where nothing else is said: what servers with dynamic batching commonly take. */
const DEFAULT_MAX_BATCH = 32;

const definition = openInference.GRPCInferenceServiceService;

/** Where a model is, and what is known of it. */
export interface OipOptions {
  /** `host:port` or a gRPC target. */
  readonly address: string;
  /** Name of the model on the server. */
  readonly model: string;
  /** Default: the server chooses. */
  readonly version?: string | undefined;
  /** Its inputs, labels and thresholds; `logits` names the output that holds the answers. */
  readonly card: victim.Card;
  /** Largest number of rows in a request. Default 32. */
  readonly maxBatch?: number | undefined;
  /** Most rows that may be sent over the life of this connection. Default: any number. */
  readonly queryBudget?: number | undefined;
}

/** A model behind an Open Inference Protocol v2 server. Counts every row that is sent to it. */
export class OipModel implements AsyncDisposable {
  readonly card: victim.Card;
  readonly maxBatch: number;
  readonly #options: OipOptions;
  readonly #client: Client<typeof definition>;
  readonly #queries: QueryCount;
  #checked: Promise<void> | undefined;

  /** Connects at the first call. */
  constructor(options: OipOptions) {
    this.#options = options;
    this.card = options.card;
    this.maxBatch = options.maxBatch ?? DEFAULT_MAX_BATCH;
    this.#queries = new QueryCount(options.queryBudget);
    // A query that is sent twice counts once with us and twice with the server: only metadata is retried.
    this.#client = connect(definition, options.address, { idempotent: ['modelMetadata'] });
  }

  /** Rows sent so far. */
  get queries(): number {
    return this.#queries.sent;
  }

  /** Holds the server's metadata against the card, once. @throws FaultlineError failed_precondition where they differ */
  async check({ signal }: CallOptions = {}): Promise<void> {
    this.#checked ??= this.#explained(async () => {
      const { model, version = '' } = this.#options;
      const metadata = await this.#client.modelMetadata({ name: model, version }, signal && { signal });
      checkMetadata(metadata, this.card, this.card.logits);
    });
    try {
      await this.#checked;
    } catch (thrown) {
      this.#checked = undefined;
      throw thrown;
    }
  }

  /**
   * The answers to a batch, [batch, ...], as the server gives them; sent in parts of at most `maxBatch` rows.
   * @throws FaultlineError failed_precondition when the query budget is spent
   */
  async ask(
    inputs: Tensors,
    options: CallOptions = {},
  ): Promise<{ readonly answers: DenseTensor<Float32Array>; readonly cost: Cost }> {
    await this.check(options);
    const rows = batchRows(inputs);
    if (rows === undefined)
      throw FaultlineError.invalid('inputs', 'have different numbers of rows; give each the same');
    const { logits: output } = this.card;
    return this.#explained(async () => {
      const parts: Tensors[] = [];
      for (const range of rowRanges(rows, 1, this.maxBatch)) {
        const size = range.to - range.from;
        this.#queries.send(size);
        const answer = await this.#infer(sliceAll(inputs, range), options);
        if (answer.dims[0] !== size)
          throw new FaultlineError('failed_precondition', `answered ${answer.dims[0]} rows to a batch of ${size}`);
        parts.push(new Map([[output, answer]]));
      }
      const answers = joinAll(parts).get(output) ?? { dims: [0, this.card.labels.length], data: new Float32Array() };
      return { answers, cost: { forwardExamples: rows, gradientExamples: 0 } };
    });
  }

  async #infer(inputs: Tensors, { signal }: CallOptions): Promise<DenseTensor<Float32Array>> {
    const { model, version = '' } = this.#options;
    const { logits: output } = this.card;
    const tensors = Array.from(inputs, ([name, tensor]) => requestTensor(name, tensor));
    const response = await this.#client.modelInfer(
      {
        modelName: model,
        modelVersion: version,
        id: '',
        inputs: tensors.map(({ tensor }) => tensor),
        outputs: [{ name: output }],
        rawInputContents: tensors.map(({ raw }) => raw),
      },
      signal && { signal },
    );
    return answerTensor(response, output);
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      const { code, message, violations } = FaultlineError.from(thrown);
      const { address, model } = this.#options;
      throw new FaultlineError(code, `model '${model}' at ${address}: ${message}`, { violations, cause: thrown });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
  }
}
