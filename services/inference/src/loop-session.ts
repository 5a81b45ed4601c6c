import { encodeTensor, type inference, rowChunks } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import type { Cost } from '@faultline/victim';
import type { Compute } from './compute.ts';
import type { Command } from './inbox.ts';
import { costMessage, namedTensor, parametersOf, shown, stepParameters } from './messages.ts';
import { type BatchShape, batchOf, type Opening, planOf } from './opening.ts';
import type { Upload } from './upload.ts';

/** Steps of one message; the loop itself stops after about a second of work. */
const MAX_STEPS = 64;

/**
 * Told to clients: the largest piece of a fetched tensor, unless one row is longer. Each piece is copied some times on its way, and pieces
 * of this size are copied in memory that is still at hand.
 */
export const MAX_CHUNK_BYTES = 1024 * 1024;

/** Commands on a loop whose batch is in place. */
export type LoopCommand = Exclude<Command, { readonly $case: 'open' | 'upload' | 'rebatch' }>;

const done = (examples: number): inference.OptimizeResponse => ({ kind: { $case: 'done', value: { examples } } });

const buffersOf = (tensors: ReturnType<Upload['tensors']>) => Array.from(tensors.values(), ({ data }) => data.buffer);

/** One attack loop on the compute thread. */
export class LoopSession {
  readonly #compute: Compute;
  readonly #loop: number;
  readonly #signal: AbortSignal;
  #examples = 0;
  #ended: Promise<void> | undefined;
  /** Work of the loop so far. */
  readonly total = { steps: 0, forwardExamples: 0, gradientExamples: 0 };

  constructor(compute: Compute, signal: AbortSignal) {
    this.#compute = compute;
    this.#loop = compute.nextLoop();
    this.#signal = signal;
  }

  /** Compiles the programs and puts the batch in place. */
  async prepare(opening: Opening, upload: Upload): Promise<void> {
    const tensors = upload.tensors();
    const job = { kind: 'prepare', loop: this.#loop, plan: planOf(opening, tensors) } as const;
    this.#examples = await this.#compute.run(job, this.#signal, buffersOf(tensors));
  }

  /** Puts other clips in place. */
  async rebatch(batch: BatchShape, upload: Upload): Promise<inference.OptimizeResponse> {
    const tensors = upload.tensors();
    const job = { kind: 'rebatch', loop: this.#loop, batch: batchOf(batch, tensors) } as const;
    this.#examples = await this.#compute.run(job, this.#signal, buffersOf(tensors));
    return done(this.#examples);
  }

  /** Does what the client asks for; fetched tensors come in pieces, everything else in one answer. */
  async *answer(command: LoopCommand): AsyncGenerator<inference.OptimizeResponse> {
    switch (command.$case) {
      case 'step':
        yield await this.#step(command.value);
        break;
      case 'keep':
        yield await this.#keep(command.value);
        break;
      case 'restart':
        yield await this.#restart(command.value);
        break;
      case 'fetch':
        yield* this.#fetch(command.value);
        break;
    }
  }

  async #step(request: inference.StepRequest): Promise<inference.OptimizeResponse> {
    const { steps, finish } = request;
    if (steps > MAX_STEPS || (steps < 1 && !finish))
      throw FaultlineError.invalid('step.steps', `is ${steps}; give 1 to ${MAX_STEPS}, or 0 with finish`);
    const parameters = stepParameters(request.parameters, 'step.parameters', steps, this.#examples);
    const options = { steps, parameters, finish };
    const result = await this.#compute.run({ kind: 'step', loop: this.#loop, options }, this.#signal);
    this.#count(result.stepsDone, result.cost);
    const rows = result.stepsDone + (result.finished ? 1 : 0);
    const outcomes = Array.from(result.outcomes, ([name, data]) =>
      namedTensor(name, { dims: [rows, rows === 0 ? 0 : data.length / rows], data }),
    );
    const { stepsDone, finished } = result;
    return { kind: { $case: 'step', value: { stepsDone, finished, outcomes, cost: costMessage(result.cost) } } };
  }

  #count(steps: number, cost: Cost): void {
    this.total.steps += steps;
    this.total.forwardExamples += cost.forwardExamples;
    this.total.gradientExamples += cost.gradientExamples;
  }

  async #keep({ examples }: inference.KeepRequest): Promise<inference.OptimizeResponse> {
    checkIndices(examples, this.#examples, 'keep.examples');
    const unordered = examples.findIndex((index, position) => index <= (examples[position - 1] ?? -1));
    if (unordered >= 0)
      throw FaultlineError.invalid(
        `keep.examples[${unordered}]`,
        `is ${examples[unordered]} after ${examples[unordered - 1]}; give strictly increasing indices`,
      );
    this.#examples = await this.#compute.run({ kind: 'keep', loop: this.#loop, examples }, this.#signal);
    return done(this.#examples);
  }

  async #restart(request: inference.RestartRequest): Promise<inference.OptimizeResponse> {
    const parameters = parametersOf(request.parameters, 'restart.parameters');
    this.#examples = await this.#compute.run({ kind: 'restart', loop: this.#loop, parameters }, this.#signal);
    return done(this.#examples);
  }

  async *#fetch({ slots, examples }: inference.FetchRequest): AsyncGenerator<inference.OptimizeResponse> {
    if (slots.length === 0) throw FaultlineError.invalid('fetch.slots', 'is empty; name x/V or state/S slots');
    const again = slots.findIndex((slot, index) => slots.indexOf(slot) !== index);
    if (again >= 0)
      throw FaultlineError.invalid(`fetch.slots[${again}]`, `'${shown(slots[again] ?? '')}' is named twice`);
    checkIndices(examples, this.#examples, 'fetch.examples');
    const wanted = examples.length === 0 ? undefined : examples;
    const job = { kind: 'fetch', loop: this.#loop, slots, examples: wanted } as const;
    for (const [slot, tensor] of await this.#compute.run(job, this.#signal)) {
      for (const { rows, last } of rowChunks(tensor, MAX_CHUNK_BYTES)) {
        yield { kind: { $case: 'fetch', value: { slot, rows: encodeTensor(rows), last } } };
      }
    }
  }

  /** Frees the loop's memory; whatever happened before, and whoever has gone. */
  end(): Promise<void> {
    this.#ended ??= this.#close();
    return this.#ended;
  }

  async #close(): Promise<void> {
    if (!this.#compute.alive) return;
    // A thread that dies meanwhile has freed everything, too.
    await this.#compute.run({ kind: 'close', loop: this.#loop }).catch(() => {});
  }
}

function checkIndices(indices: readonly number[], examples: number, field: string): void {
  const outside = indices.findIndex((index) => index >= examples);
  if (outside >= 0)
    throw FaultlineError.invalid(
      `${field}[${outside}]`,
      `is ${indices[outside]}; the loop holds ${examples} examples, counted from 0`,
    );
  if (indices.length > examples)
    throw FaultlineError.invalid(field, `names ${indices.length} examples; the loop holds ${examples}`);
}
