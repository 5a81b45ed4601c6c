import { type DenseTensor, decodeTensor, encodeTensor, inference, joinRows, sliceRows } from '@faultline/contracts';
import { type Client, connect, FaultlineError } from '@faultline/service-kit';
import {
  type CallOptions,
  CardError,
  type Cost,
  checkCard,
  type Loop,
  type LoopPlan,
  PROTOCOL_VERSION,
  type Prediction,
  type Tensors,
  type Victim,
  type VictimDescription,
} from '@faultline/victim';
import { costOf, RemoteLoop } from './remote-loop.ts';

/** Bytes of inputs in one Predict message: well below the services' limit of 64 MiB. */
const PREDICT_BYTES = 24 * 1024 * 1024;

const definition = inference.InferenceServiceService;

export interface RemoteVictimOptions {
  /** SHA-256 of the model that every prediction must come from; unset: any. */
  readonly modelSha256?: string | undefined;
}

/** A victim behind an inference service. Every error names the address that it came from. */
export class RemoteVictim implements Victim {
  readonly address: string;
  readonly #client: Client<typeof definition>;
  readonly #modelSha256: string;

  /** `address`: `host:port` or a gRPC target. Connects at the first call. */
  constructor(address: string, { modelSha256 = '' }: RemoteVictimOptions = {}) {
    this.address = address;
    this.#modelSha256 = modelSha256;
    this.#client = connect(definition, address, { idempotent: ['describe', 'predict'] });
  }

  /** @throws FaultlineError; failed_precondition when the service speaks another protocol or serves an unusable card. */
  async describe(options: CallOptions = {}): Promise<VictimDescription> {
    return this.#explained(async () => {
      const { card, ...rest } = await this.#client.describe({ context: undefined }, signalOf(options));
      if (card === undefined) throw new FaultlineError('failed_precondition', 'describes itself without a card');
      checkCard(card);
      if (rest.protocolVersion !== PROTOCOL_VERSION) {
        throw new FaultlineError(
          'failed_precondition',
          `speaks program protocol ${rest.protocolVersion}; this client speaks ${PROTOCOL_VERSION}: run the same release`,
        );
      }
      return { card, ...rest };
    });
  }

  /**
   * Sends the batch in parts that fit a message; all parts are computed by one and the same model.
   * @throws FaultlineError
   */
  async predict(inputs: Tensors, options: CallOptions = {}): Promise<Prediction> {
    return this.#explained(async () => {
      let modelSha256 = this.#modelSha256;
      const logits: DenseTensor[] = [];
      const costs: Cost[] = [];
      for (const part of batchParts(inputs, PREDICT_BYTES)) {
        const named = [...part].map(([name, tensor]) => ({ name, tensor: encodeTensor(tensor) }));
        const response = await this.#client.predict(
          { context: undefined, modelSha256, inputs: named },
          signalOf(options),
        );
        if (response.logits === undefined) throw new FaultlineError('internal', 'predicted without logits');
        modelSha256 = response.modelSha256;
        logits.push(decodeTensor(response.logits));
        costs.push(costOf(response.cost));
      }
      return { logits: floatTensor(joinRows(logits)), taps: new Map(), modelSha256, cost: sumCosts(costs) };
    });
  }

  differentiate(): Promise<never> {
    return Promise.reject(new FaultlineError('unimplemented', 'a service cannot differentiate yet'));
  }

  /** @throws FaultlineError; resource_exhausted before anything is uploaded when the service has no free slot. */
  async open(
    plan: LoopPlan,
    parameters: Readonly<Record<string, Float32Array>>,
    options: CallOptions = {},
  ): Promise<Loop> {
    const call = this.#client.optimize(signalOf(options));
    const loop = new RemoteLoop(call, plan.exampleClips.length, (thrown) => this.#explain(thrown));
    try {
      await loop.open(plan, parameters);
    } catch (thrown) {
      await loop[Symbol.asyncDispose]();
      throw thrown;
    }
    return loop;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client.close();
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      throw this.#explain(thrown);
    }
  }

  #explain(thrown: unknown): FaultlineError {
    const { code, message, violations } =
      thrown instanceof CardError
        ? new FaultlineError('failed_precondition', thrown.message, { cause: thrown })
        : FaultlineError.from(thrown);
    return new FaultlineError(code, `victim at ${this.address}: ${message}`, { violations, cause: thrown });
  }
}

function signalOf({ signal }: CallOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

/** Cuts a batch along its first axis so that the inputs of each part fit in `maxBytes` (or are one row). */
function* batchParts(inputs: Tensors, maxBytes: number): Generator<Tensors> {
  const tensors = [...inputs.values()];
  const rows = Math.max(0, ...tensors.map(({ dims }) => dims[0] ?? 0));
  const bytes = tensors.reduce((sum, { data }) => sum + data.byteLength, 0);
  const step = Math.max(1, Math.floor((rows * maxBytes) / Math.max(1, bytes)));
  // Inputs that disagree about their rows go out as they are: the service says which one is wrong.
  if (rows <= step || tensors.some(({ dims }) => dims[0] !== rows)) {
    yield inputs;
    return;
  }
  for (let from = 0; from < rows; from += step) {
    yield new Map([...inputs].map(([name, tensor]) => [name, sliceRows(tensor, from, Math.min(rows, from + step))]));
  }
}

function floatTensor({ dims, data }: DenseTensor): DenseTensor<Float32Array> {
  if (!(data instanceof Float32Array)) throw new FaultlineError('internal', 'predicted logits that are not float32');
  return { dims, data };
}

function sumCosts(costs: readonly Cost[]): Cost {
  return {
    forwardExamples: costs.reduce((sum, cost) => sum + cost.forwardExamples, 0),
    gradientExamples: costs.reduce((sum, cost) => sum + cost.gradientExamples, 0),
  };
}
