import { type common, type DenseTensor, decodeTensor, encodeTensor, inference, sliceRows } from '@faultline/contracts';
import { type Client, connect, FaultlineError } from '@faultline/service-kit';
import {
  type CallOptions,
  CardError,
  checkCard,
  type DifferentiateRequest,
  type Gradients,
  type Loop,
  type LoopPlan,
  type NamedLoss,
  type Parameters,
  PROTOCOL_VERSION,
  type Prediction,
  type PredictOptions,
  type Tensors,
  type Victim,
  type VictimDescription,
} from '@faultline/victim';
import { batchRows, joinAll, type RowRange, rowBytes, rowRanges, sliceAll } from './batch-parts.ts';
import { costOf, sumCosts } from './costs.ts';
import { RemoteLoop } from './remote-loop.ts';

/** Bytes of tensors in one Predict or Differentiate message: well below the services' limit of 64 MiB. */
const PART_BYTES = 24 * 1024 * 1024;

const definition = inference.InferenceServiceService;

const LOSSES: Readonly<Record<NamedLoss, inference.NamedLoss>> = {
  margin: inference.NamedLoss.NAMED_LOSS_MARGIN,
  bce: inference.NamedLoss.NAMED_LOSS_BCE,
  ce: inference.NamedLoss.NAMED_LOSS_CE,
  logit_sum: inference.NamedLoss.NAMED_LOSS_LOGIT_SUM,
};

export interface RemoteVictimOptions {
  /** SHA-256 of the model that every prediction must come from; unset: any. */
  readonly modelSha256?: string | undefined;
}

/** A victim behind an inference service. Every error names the address that it came from. */
export class RemoteVictim implements Victim {
  readonly address: string;
  readonly #client: Client<typeof definition>;
  readonly #modelSha256: string;
  #tapBytes: Promise<ReadonlyMap<string, number>> | undefined;

  /** `address`: `host:port` or a gRPC target. Connects at the first call. */
  constructor(address: string, { modelSha256 = '' }: RemoteVictimOptions = {}) {
    this.address = address;
    this.#modelSha256 = modelSha256;
    this.#client = connect(definition, address, { idempotent: ['describe', 'predict', 'differentiate'] });
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
  async predict(inputs: Tensors, options: PredictOptions = {}): Promise<Prediction> {
    const { taps = [], tapValues = new Map() } = options;
    const sent = new Map([...inputs, ...tapValues]);
    return this.#explained(() =>
      this.#inParts(sent, taps, options, async (part, _range, modelSha256) => {
        const of = (tensors: Tensors) => named(new Map([...part].filter(([name]) => tensors.has(name))));
        const request = {
          context: undefined,
          modelSha256,
          inputs: of(inputs),
          taps: [...taps],
          tapValues: of(tapValues),
        };
        const response = await this.#client.predict(request, signalOf(options));
        return {
          tensors: new Map([['logits', decoded(response.logits, 'logits')]]),
          more: tensorsOf(response.taps),
          modelSha256: response.modelSha256,
          cost: costOf(response.cost),
        };
      }),
    ).then(({ tensors, more, ...rest }) => ({ logits: present(tensors, 'logits'), taps: more, ...rest }));
  }

  /**
   * Sends the batch in parts that fit a message; all parts are computed by one and the same model.
   * @throws FaultlineError
   */
  async differentiate(request: DifferentiateRequest, options: CallOptions = {}): Promise<Gradients> {
    const { inputs, objective, targets, variables, constants = new Map() } = request;
    const rows = batchRows(inputs);
    return this.#explained(() =>
      this.#inParts(inputs, variables, options, async (part, { from, to }, modelSha256) => {
        const parameters = Object.entries(request.parameters ?? {}).map(([name, values]) => {
          const own = values.length === rows && rows > 1 ? values.subarray(from, to) : values;
          return { name, tensor: encodeTensor({ dims: [own.length], data: own }) };
        });
        const whole = from === 0 && to === rows;
        const response = await this.#client.differentiate(
          {
            context: undefined,
            modelSha256,
            inputs: named(part),
            targets: encodeTensor(whole || rows === undefined ? targets : sliceRows(targets, from, to)),
            objective:
              typeof objective === 'string'
                ? { $case: 'loss', value: LOSSES[objective] }
                : { $case: 'program', value: Buffer.from(objective) },
            protocolVersion: PROTOCOL_VERSION,
            variables: [...variables],
            parameters,
            constants: named(constants),
            straightThrough: request.straightThrough ?? false,
          },
          signalOf(options),
        );
        return {
          tensors: new Map([
            ['loss', decoded(response.loss, 'loss')],
            ['logits', decoded(response.logits, 'logits')],
          ]),
          more: tensorsOf(response.gradients),
          modelSha256: response.modelSha256,
          cost: costOf(response.cost),
        };
      }),
    ).then(({ tensors, more, ...rest }) => ({
      gradients: more,
      loss: present(tensors, 'loss'),
      logits: present(tensors, 'logits'),
      ...rest,
    }));
  }

  /** @throws FaultlineError; resource_exhausted before anything is uploaded when the service has no free slot or memory. */
  async open(plan: LoopPlan, parameters: Parameters, options: CallOptions = {}): Promise<Loop> {
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

  /** Runs a call on parts of a batch; `wanted` names the inputs and taps that come back beside the logits. */
  async #inParts(
    inputs: Tensors,
    wanted: readonly string[],
    options: CallOptions,
    call: (part: Tensors, range: RowRange, modelSha256: string) => Promise<Part>,
  ): Promise<Part & { readonly tensors: Map<string, DenseTensor<Float32Array>> }> {
    const rows = batchRows(inputs);
    // Inputs that disagree about their rows go out as they are: the service says which one is wrong.
    const ranges =
      rows === undefined || rows === 0
        ? [{ from: 0, to: rows ?? 0 }]
        : rowRanges(
            rows,
            Math.max(rowBytes(inputs, rows), await this.#tapRowBytes(inputs, wanted, options)),
            PART_BYTES,
          );
    const parts: Part[] = [];
    for (const range of ranges) {
      const whole = rows === undefined || (range.from === 0 && range.to === rows);
      const modelSha256: string = parts.at(-1)?.modelSha256 ?? this.#modelSha256;
      parts.push(await call(whole ? inputs : sliceAll(inputs, range), range, modelSha256));
    }
    return {
      tensors: joinAll(parts.map(({ tensors }) => tensors)),
      more: joinAll(parts.map(({ more }) => more)),
      modelSha256: parts[0]?.modelSha256 ?? '',
      cost: sumCosts(parts.map(({ cost }) => cost)),
    };
  }

  /** Bytes that taps among the wanted values take for each row; asks the service once how large they are. */
  async #tapRowBytes(inputs: Tensors, wanted: readonly string[], options: CallOptions): Promise<number> {
    if (wanted.every((name) => inputs.has(name))) return 0;
    this.#tapBytes ??= this.describe(options).then(
      ({ taps = [] }) =>
        new Map(
          taps.map(({ name, dims }) => [
            name,
            dims.reduce((product, size) => product * size, Float32Array.BYTES_PER_ELEMENT),
          ]),
        ),
    );
    const bytes = await this.#tapBytes.catch((error: unknown) => {
      this.#tapBytes = undefined;
      throw error;
    });
    return wanted.reduce((sum, name) => sum + (bytes.get(name) ?? 0), 0);
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
    const prefix = `victim at ${this.address}: `;
    const told = message.startsWith(prefix) ? message : `${prefix}${message}`;
    return new FaultlineError(code, told, { violations, cause: thrown });
  }
}

/** The answer to one part of a batch. */
interface Part {
  readonly tensors: Tensors;
  readonly more: Tensors;
  readonly modelSha256: string;
  readonly cost: Prediction['cost'];
}

function signalOf({ signal }: CallOptions): { signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

const named = (tensors: Tensors): common.NamedTensor[] =>
  [...tensors].map(([name, tensor]) => ({ name, tensor: encodeTensor(tensor) }));

const tensorsOf = (tensors: readonly common.NamedTensor[]): Tensors =>
  new Map(tensors.map(({ name, tensor }) => [name, decoded(tensor, name)]));

function decoded(tensor: common.Tensor | undefined, name: string): DenseTensor {
  if (tensor === undefined) throw new FaultlineError('internal', `answered without '${name}'`);
  return decodeTensor(tensor);
}

function present(tensors: ReadonlyMap<string, DenseTensor<Float32Array>>, name: string): DenseTensor<Float32Array> {
  const tensor = tensors.get(name);
  if (tensor === undefined) throw new FaultlineError('internal', `answered without '${name}'`);
  return tensor;
}
