import {
  type common,
  type DenseTensor,
  decodeTensor,
  encodeTensor,
  inference,
  joinRows,
  rowChunks,
} from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Cost, Loop, LoopPlan, StepOptions, StepResult, Tensors } from '@faultline/victim';
import { PROTOCOL_VERSION } from '@faultline/victim';

/** The stream as the client side of Optimize sees it. */
export interface OptimizeCall {
  send(request: inference.OptimizeRequest): Promise<void>;
  end(): void;
  readonly responses: AsyncIterableIterator<inference.OptimizeResponse>;
  cancel(): void;
}

type Request = NonNullable<inference.OptimizeRequest['kind']>;
type Response = NonNullable<inference.OptimizeResponse['kind']>;
/** What each kind of answer carries. */
type Answers = { readonly [Case in Response['$case']]: Extract<Response, { readonly $case: Case }>['value'] };
type Parameters = Readonly<Record<string, Float32Array>>;

/** How long a stream may take to end by itself before it is cancelled. */
const CLOSE_GRACE_MS = 2_000;

/** An attack loop at the other end of an Optimize stream. */
export class RemoteLoop implements Loop {
  readonly #call: OptimizeCall;
  readonly #explain: (thrown: unknown) => FaultlineError;
  #examples: number;
  #busy = false;
  /** Why the stream is of no more use. */
  #over: FaultlineError | undefined;

  constructor(call: OptimizeCall, examples: number, explain: (thrown: unknown) => FaultlineError) {
    this.#call = call;
    this.#examples = examples;
    this.#explain = explain;
  }

  get examples(): number {
    return this.#examples;
  }

  /** Admission, then the clean batch; with an init program also restart 0. */
  async open(plan: LoopPlan, parameters: Parameters): Promise<void> {
    await this.#turn(async () => {
      await this.#send({ $case: 'open', value: openRequest(plan) });
      await this.#expect('opened');
      for (const [slot, tensor] of uploads(plan)) {
        for (const { rows, last } of rowChunks(tensor)) {
          await this.#send({ $case: 'upload', value: { slot, rows: encodeTensor(rows), last } });
        }
      }
    });
    if (plan.programs.init !== undefined) await this.restart(parameters);
  }

  async step({ steps, parameters, finish = false }: StepOptions): Promise<StepResult> {
    return this.#turn(async () => {
      const named = Object.entries(parameters).map(([name, values]) => this.#parameter(name, values, steps));
      await this.#send({ $case: 'step', value: { steps, parameters: named, finish } });
      const done = await this.#expect('step');
      const outcomes = new Map(done.outcomes.map(({ name, tensor }) => [name, floatsOf(name, tensor)]));
      return { stepsDone: done.stepsDone, finished: done.finished, outcomes, cost: costOf(done.cost) };
    });
  }

  async keep(examples: readonly number[]): Promise<void> {
    await this.#turn(async () => {
      await this.#send({ $case: 'keep', value: { examples: [...examples] } });
      this.#examples = (await this.#expect('done')).examples;
    });
  }

  async restart(parameters: Parameters): Promise<void> {
    await this.#turn(async () => {
      const named = Object.entries(parameters).map(([name, values]) => this.#parameter(name, values, 1));
      await this.#send({ $case: 'restart', value: { parameters: named } });
      this.#examples = (await this.#expect('done')).examples;
    });
  }

  rebatch(): Promise<void> {
    return Promise.reject(new FaultlineError('unimplemented', 'a service cannot rebatch yet'));
  }

  async fetch(slots: readonly string[], examples?: readonly number[]): Promise<Tensors> {
    if (examples?.length === 0) {
      throw FaultlineError.invalid('examples', 'is an empty list; name at least one example, or leave it out for all');
    }
    return this.#turn(async () => {
      const pieces = new Map<string, DenseTensor[]>(slots.map((slot) => [slot, []]));
      if (pieces.size === 0) return new Map();
      await this.#send({ $case: 'fetch', value: { slots: [...pieces.keys()], examples: [...(examples ?? [])] } });
      for (let open = pieces.size; open > 0; ) {
        const { slot, rows, last } = await this.#expect('fetch');
        const known = pieces.get(slot);
        if (known === undefined || rows === undefined) {
          throw new FaultlineError('internal', `sent slot '${slot}', which was not asked for or holds no rows`);
        }
        known.push(decodeTensor(rows));
        if (last) open -= 1;
      }
      return new Map([...pieces].map(([slot, rows]) => [slot, joinRows(rows)]));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const idle = !this.#busy && this.#over === undefined;
    this.#over ??= new FaultlineError('failed_precondition', 'the loop is closed');
    if (!idle) {
      this.#call.cancel();
      return;
    }
    // Half-closing lets the server end the call in order, which cancelling does not.
    this.#call.end();
    const timer = setTimeout(() => this.#call.cancel(), CLOSE_GRACE_MS);
    try {
      while (!(await this.#call.responses.next()).done);
    } catch {
      // The loop is over either way, and its results have been fetched.
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs one exchange; a failed one ends the loop, because both ends may then disagree about its state. */
  async #turn<T>(exchange: () => Promise<T>): Promise<T> {
    if (this.#over !== undefined) throw this.#over;
    if (this.#busy) throw new FaultlineError('failed_precondition', 'the loop is busy; await one call before the next');
    this.#busy = true;
    try {
      return await exchange();
    } catch (thrown) {
      this.#over ??= this.#explain(thrown);
      this.#call.cancel();
      throw this.#over;
    } finally {
      this.#busy = false;
    }
  }

  async #send(kind: Request): Promise<void> {
    await this.#call.send({ kind });
  }

  /** The next response, which must be of this kind. */
  async #expect<Case extends Response['$case']>(expected: Case): Promise<Answers[Case]> {
    const next = await this.#call.responses.next();
    if (next.done) throw new FaultlineError('unavailable', `ended the stream where a '${expected}' answer was due`);
    const { kind } = next.value;
    if (!isCase(kind, expected)) {
      throw new FaultlineError('internal', `answered '${kind?.$case ?? 'nothing'}' where '${expected}' was due`);
    }
    return kind.value;
  }

  #parameter(name: string, values: Float32Array, steps: number): common.NamedTensor {
    const perExample = values.length === this.#examples;
    if (!perExample && values.length !== steps * this.#examples) {
      throw FaultlineError.invalid(
        `parameters.${name}`,
        `has ${values.length} values; give ${this.#examples} (one an example) or ${steps * this.#examples} (steps x examples)`,
      );
    }
    const dims = perExample ? [this.#examples] : [steps, this.#examples];
    return { name, tensor: encodeTensor({ dims, data: values }) };
  }
}

function isCase<Case extends Response['$case']>(
  kind: Response | undefined,
  expected: Case,
): kind is Response & { readonly value: Answers[Case] } {
  return kind?.$case === expected;
}

const DISTRIBUTIONS = {
  uniform: inference.NoiseDistribution.NOISE_DISTRIBUTION_UNIFORM,
  normal: inference.NoiseDistribution.NOISE_DISTRIBUTION_NORMAL,
} as const;

function noiseOf({ noise = [] }: LoopPlan): inference.NoiseDistribution {
  const [first] = noise;
  if (first === undefined) return inference.NoiseDistribution.NOISE_DISTRIBUTION_UNSPECIFIED;
  if (first.distribution === 'signs') throw FaultlineError.invalid('noise', 'signs cannot be asked of a service yet');
  return DISTRIBUTIONS[first.distribution];
}

function openRequest(plan: LoopPlan): inference.OpenRequest {
  const { objective, step, init } = plan.programs;
  return {
    context: undefined,
    modelSha256: plan.modelSha256,
    protocolVersion: PROTOCOL_VERSION,
    programs: {
      objective: Buffer.from(objective),
      step: Buffer.from(step),
      init: Buffer.from(init ?? new Uint8Array()),
    },
    variables: plan.variables.map(({ name }) => name),
    exampleClips: [...plan.exampleClips],
    clips: clipsOf(plan),
    noise: noiseOf(plan),
    noiseKeys: plan.noiseKeys === undefined ? Buffer.alloc(0) : littleEndian(plan.noiseKeys),
  };
}

function clipsOf({ inputs }: LoopPlan): number {
  const rows = new Set([...inputs.values()].map(({ dims }) => dims[0] ?? 0));
  const [clips] = rows;
  if (clips === undefined || rows.size > 1) {
    throw FaultlineError.invalid(
      'inputs',
      `have ${[...rows].join(' and ') || 'no'} clips; give every input of the same clips`,
    );
  }
  return clips;
}

function littleEndian(keys: BigUint64Array): Buffer {
  const bytes = Buffer.alloc(keys.length * BigUint64Array.BYTES_PER_ELEMENT);
  for (const [index, key] of keys.entries()) bytes.writeBigUInt64LE(key, index * BigUint64Array.BYTES_PER_ELEMENT);
  return bytes;
}

function* uploads({ inputs, targets, constants }: LoopPlan): Generator<readonly [string, DenseTensor]> {
  for (const [name, tensor] of inputs) yield [`x0/${name}`, tensor];
  yield ['targets', targets];
  for (const [name, tensor] of constants ?? []) yield [`const/${name}`, tensor];
}

function floatsOf(name: string, tensor: common.Tensor | undefined): Float32Array {
  const data = tensor === undefined ? undefined : decodeTensor(tensor).data;
  if (!(data instanceof Float32Array)) throw new FaultlineError('internal', `sent '${name}' without float32 values`);
  return data;
}

/** Cost as the interface counts it; a server that sends none did no counted work. */
export function costOf(cost: common.EvaluationCost | undefined): Cost {
  return { forwardExamples: cost?.forwardExamples ?? 0, gradientExamples: cost?.gradientExamples ?? 0 };
}
