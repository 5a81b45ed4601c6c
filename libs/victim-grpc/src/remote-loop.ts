import {
  type common,
  type DenseTensor,
  decodeTensor,
  elementCount,
  encodeTensor,
  type inference,
  rowChunks,
} from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Loop, LoopBatch, LoopPlan, Parameters, StepOptions, StepResult, Tensors } from '@faultline/victim';
import { ArrivingRows } from './arriving-rows.ts';
import { costOf } from './costs.ts';
import { batchRequest, batchUploads, openRequest, planUploads } from './opening.ts';

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
      await this.#upload(planUploads(plan));
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

  async rebatch(batch: LoopBatch): Promise<void> {
    await this.#turn(async () => {
      await this.#send({ $case: 'rebatch', value: batchRequest(batch) });
      await this.#upload(batchUploads(batch));
      this.#examples = (await this.#expect('done')).examples;
    });
  }

  async fetch(slots: readonly string[], examples?: readonly number[]): Promise<Tensors> {
    if (examples?.length === 0) {
      throw FaultlineError.invalid('examples', 'is an empty list; name at least one example, or leave it out for all');
    }
    return this.#turn(async () => {
      const expected = examples?.length ?? this.#examples;
      const arriving = new Map(slots.map((slot) => [slot, new ArrivingRows(slot, expected)]));
      if (arriving.size === 0) return new Map();
      await this.#send({ $case: 'fetch', value: { slots: [...arriving.keys()], examples: [...(examples ?? [])] } });
      for (let open = arriving.size; open > 0; ) {
        const { slot, rows, last } = await this.#expect('fetch');
        const known = arriving.get(slot);
        if (known === undefined || rows === undefined) {
          throw new FaultlineError('internal', `sent slot '${slot}', which was not asked for or holds no rows`);
        }
        known.add(rows, last);
        if (last) open -= 1;
      }
      return new Map([...arriving].map(([slot, { tensor }]) => [slot, tensor]));
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

  /** Each piece is encoded when the transport has taken the one before. */
  async #upload(tensors: Iterable<readonly [string, DenseTensor]>): Promise<void> {
    for (const [slot, tensor] of tensors) {
      for (const { rows, last } of rowChunks(tensor)) {
        await this.#send({ $case: 'upload', value: { slot, rows: encodeTensor(rows), last } });
      }
    }
  }

  /** [examples] or [1], and in steps [steps, examples] or [steps, 1]: the number of values says which. */
  #parameter(name: string, values: Float32Array, steps: number): common.NamedTensor {
    const examples = this.#examples;
    const shapes = [[examples], [1], [steps, examples], [steps, 1]];
    const dims = shapes.find((shape) => elementCount(shape) === values.length);
    if (dims === undefined) {
      throw FaultlineError.invalid(
        `parameters.${name}`,
        `has ${values.length} values; give ${examples} (one an example) or ${steps * examples} (steps x examples), or where it is shared 1 or ${steps}`,
      );
    }
    return { name, tensor: encodeTensor({ dims, data: values }) };
  }
}

function isCase<Case extends Response['$case']>(
  kind: Response | undefined,
  expected: Case,
): kind is Response & { readonly value: Answers[Case] } {
  return kind?.$case === expected;
}

function floatsOf(name: string, tensor: common.Tensor | undefined): Float32Array {
  const data = tensor === undefined ? undefined : decodeTensor(tensor).data;
  if (!(data instanceof Float32Array)) throw new FaultlineError('internal', `sent '${name}' without float32 values`);
  return data;
}
