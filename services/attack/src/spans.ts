import { FaultlineError, tracer } from '@faultline/service-kit';
import type {
  CallOptions,
  Cost,
  Loop,
  LoopBatch,
  LoopPlan,
  StepOptions,
  StepResult,
  Tensors,
  Victim,
} from '@faultline/victim';
import { type Attributes, type Context, context, type Span, SpanStatusCode, trace } from '@opentelemetry/api';
import { openInTurn, type Patience } from './slot-wait.ts';

/** Starts a span of this service below `parent`. */
export function startSpan(name: string, attributes: Attributes, parent: Context): Span {
  return tracer('@faultline/service-attack').startSpan(name, { attributes }, parent);
}

/** Marks a span as failed; a cancelled piece of work has not failed. */
export function recordFailure(span: Span, thrown: unknown): void {
  const { code, message } = FaultlineError.from(thrown);
  span.setAttribute('error.type', code);
  if (code !== 'cancelled') span.setStatus({ code: SpanStatusCode.ERROR, message });
}

/**
 * A victim whose loops wait their turn and are spans, one each: the calls that they make have the span for their parent. The generator that steers a
 * loop resumes in whatever context its reader has, hence the explicit parent.
 */
export function traced(victim: Victim, parent: Context, patience: Patience): Victim {
  return {
    describe: (options) => context.with(parent, () => victim.describe(options)),
    predict: (inputs, options) => context.with(parent, () => victim.predict(inputs, options)),
    differentiate: (request, options) => context.with(parent, () => victim.differentiate(request, options)),
    open: (plan, parameters, options) => openTraced(victim, parent, patience, plan, parameters, options),
    [Symbol.asyncDispose]: () => victim[Symbol.asyncDispose](),
  };
}

async function openTraced(
  victim: Victim,
  parent: Context,
  patience: Patience,
  plan: LoopPlan,
  parameters: Readonly<Record<string, Float32Array>>,
  options?: CallOptions,
): Promise<Loop> {
  const attributes = {
    'faultline.examples': plan.exampleClips.length,
    'faultline.variables': plan.variables.map(({ name }) => name),
  };
  const span = startSpan('attack.loop', attributes, parent);
  const active = trace.setSpan(parent, span);
  try {
    const open = () => context.with(active, () => victim.open(plan, parameters, options));
    return new TracedLoop(await openInTurn(open, patience, options?.signal), span, active);
  } catch (thrown) {
    recordFailure(span, thrown);
    span.end();
    throw thrown;
  }
}

/** A loop that counts its work in a span, from its opening to its end. */
class TracedLoop implements Loop {
  readonly #loop: Loop;
  readonly #span: Span;
  readonly #context: Context;
  readonly #work = { steps: 0, forward: 0, gradient: 0 };

  constructor(loop: Loop, span: Span, active: Context) {
    this.#loop = loop;
    this.#span = span;
    this.#context = active;
  }

  get examples(): number {
    return this.#loop.examples;
  }

  async step(options: StepOptions): Promise<StepResult> {
    const result = await this.#within(() => this.#loop.step(options));
    this.#count(result.stepsDone, result.cost);
    return result;
  }

  keep(examples: readonly number[]): Promise<void> {
    return this.#within(() => this.#loop.keep(examples));
  }

  restart(parameters: Readonly<Record<string, Float32Array>>): Promise<void> {
    return this.#within(() => this.#loop.restart(parameters));
  }

  rebatch(batch: LoopBatch): Promise<void> {
    return this.#within(() => this.#loop.rebatch(batch));
  }

  fetch(slots: readonly string[], examples?: readonly number[]): Promise<Tensors> {
    return this.#within(() => this.#loop.fetch(slots, examples));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { steps, forward, gradient } = this.#work;
    this.#span.setAttributes({
      'faultline.steps': steps,
      'faultline.forward_examples': forward,
      'faultline.gradient_examples': gradient,
    });
    try {
      await this.#within(async () => this.#loop[Symbol.asyncDispose]());
    } finally {
      this.#span.end();
    }
  }

  #count(steps: number, cost: Cost): void {
    this.#work.steps += steps;
    this.#work.forward += cost.forwardExamples;
    this.#work.gradient += cost.gradientExamples;
  }

  async #within<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await context.with(this.#context, work);
    } catch (thrown) {
      recordFailure(this.#span, thrown);
      throw thrown;
    }
  }
}
