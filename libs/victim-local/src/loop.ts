import { float32Data, type OrtTensor } from '@faultline/ort';
import type { Cost, Loop, LoopBatch, LoopPlan, Parameters, StepOptions, StepResult, Tensors } from '@faultline/victim';
import type { Evaluator } from './evaluator.ts';
import { feedsFor, runChecked } from './feeds.ts';
import type { Computation } from './fused/fused-program.ts';
import { layOut } from './lay-out.ts';
import { LoopNoise } from './loop-noise.ts';
import type { LoopRules } from './loop-rules.ts';
import { constantSlots, parameterSlots } from './parameters.ts';
import type { Resident } from './resident.ts';
import type { Rows } from './rows.ts';
import { Scratch } from './scratch.ts';
import { type EvaluationSetting, variableDims } from './setting.ts';

/** A message works about this long at most, so that streams take turns and cancellation is prompt. */
const MAX_STEP_MS = 1_000;

/** What a loop runs. */
export interface LoopMachine extends LoopRules {
  readonly evaluator: Evaluator;
  readonly step: Computation;
  readonly init: Computation | undefined;
  close(): Promise<void>;
}

/** The resident slot that a program's output becomes: next/V -> x/V, next/state/S -> state/S. */
function slotAfter(output: string): string | undefined {
  if (output.startsWith('next/state/')) return output.slice('next/'.length);
  return output.startsWith('next/') ? `x/${output.slice('next/'.length)}` : undefined;
}

/** An attack loop in this process. Everything it holds stays resident between steps. */
export class LocalLoop implements Loop {
  readonly #machine: LoopMachine;
  readonly #reads: ReadonlySet<string>;
  readonly #evaluationReads: ReadonlySet<string>;
  readonly #constants: ReadonlyMap<string, OrtTensor>;
  readonly #scratch = new Scratch();
  #resident: Resident;
  #noise: LoopNoise;
  #examples: number;
  /** Restarts begun, steps done in the present one: both key the noise. */
  #restart = 0;
  #step = 0;
  #started = false;

  private constructor(machine: LoopMachine, plan: LoopPlan, resident: Resident, reads: ReadonlySet<string>) {
    this.#machine = machine;
    this.#reads = reads;
    this.#evaluationReads = new Set([...machine.evaluator.reads, ...machine.step.inputNames]);
    this.#constants = constantSlots(plan.constants);
    this.#resident = resident;
    this.#noise = noiseOf(machine.setting, plan);
    this.#examples = plan.exampleClips.length;
  }

  /** Lays out the batch and computes what never changes. The init program has not run yet: see `restart`. */
  static async create(machine: LoopMachine, plan: LoopPlan): Promise<LocalLoop> {
    const { evaluator, step, init } = machine;
    const reads = new Set([...evaluator.reads, ...step.inputNames, ...(init?.inputNames ?? [])]);
    return new LocalLoop(machine, plan, await layOut({ ...machine, reads }, plan), reads);
  }

  get examples(): number {
    return this.#examples;
  }

  #slots(parameters: Parameters, step: number): Map<string, OrtTensor> {
    const slots = this.#resident.slots();
    for (const [slot, tensor] of this.#constants) slots.set(slot, tensor);
    const given = parameterSlots(parameters, this.#examples, this.#machine.sharedParameters, step);
    for (const [slot, tensor] of given) slots.set(slot, tensor);
    return slots;
  }

  async restart(parameters: Parameters): Promise<void> {
    const { init, setting } = this.#machine;
    if (this.#started) this.#restart++;
    this.#started = true;
    this.#step = 0;
    if (this.#examples === 0) return;
    if (init === undefined) {
      for (const { name, scope } of setting.variables) {
        const [slot, clean] = [`x/${name}`, this.#resident.get(`x0/${name}`)];
        const start = scope === 'example' ? clean : this.#zeros(slot, [1, ...variableDims(setting, name)]);
        if (start !== undefined) this.#resident.advance(slot, start);
      }
      return;
    }
    const slots = this.#slots(parameters, 0);
    for (const [slot, draw] of this.#noise.atRestart(new Set(init.inputNames), this.#restart)) slots.set(slot, draw);
    await this.#advance(init, slots, true);
  }

  #zeros(slot: string, dims: readonly number[]): OrtTensor {
    const tensor = this.#scratch.take(slot, dims, this.#resident.get(slot));
    float32Data(tensor).fill(0);
    return tensor;
  }

  /** Runs an init or step program and takes over next/state/S and, where the point moves, next/V; returns the outcomes. */
  async #advance(
    program: Computation,
    slots: ReadonlyMap<string, OrtTensor>,
    movesPoint: boolean,
  ): Promise<ReadonlyMap<string, OrtTensor>> {
    const outputs: Record<string, OrtTensor | null> = {};
    const next = new Map<string, OrtTensor>();
    for (const name of program.outputNames) {
      const slot = slotAfter(name);
      const current = slot === undefined ? undefined : this.#resident.get(slot);
      if (slot === undefined || current === undefined) outputs[name] = null;
      else if (movesPoint || slot.startsWith('state/')) {
        const tensor = this.#scratch.take(slot, current.dims, current);
        outputs[name] = tensor;
        next.set(slot, tensor);
      }
    }
    const role = program === this.#machine.init ? 'init' : 'step';
    const results = await runChecked(role, () => program.run(feedsFor(program, slots), outputs));
    for (const [slot, tensor] of next) this.#resident.advance(slot, tensor);
    return new Map(Object.entries(results).filter(([name]) => name.startsWith('outcome/')));
  }

  async step(options: StepOptions): Promise<StepResult> {
    const outcomes = new Map<string, Float32Array[]>();
    const started = performance.now();
    const { setting } = this.#machine;
    this.#started = true;
    let stepsDone = 0;
    while (
      this.#examples > 0 &&
      stepsDone < options.steps &&
      (stepsDone === 0 || performance.now() - started < MAX_STEP_MS)
    ) {
      const kind = setting.mode === 'differentiate' ? 'gradient' : 'forward';
      await this.#evaluate(this.#slots(options.parameters, stepsDone), kind, 'moves', outcomes);
      stepsDone++;
      this.#step++;
    }
    if (this.#examples === 0) stepsDone = options.steps;
    const finished = options.finish === true && stepsDone === options.steps;
    if (finished && this.#examples > 0) {
      const slots = this.#slots(options.parameters, Math.max(0, stepsDone - 1));
      await this.#evaluate(slots, 'forward', 'stays', outcomes);
    }
    const evaluations = this.#examples * (setting.samples?.count ?? 1);
    const forwardExamples = evaluations * (stepsDone + (finished ? 1 : 0));
    const gradientExamples = setting.mode === 'differentiate' ? evaluations * stepsDone : 0;
    const cost: Cost = { forwardExamples, gradientExamples };
    return {
      stepsDone,
      finished,
      outcomes: new Map(Array.from(outcomes, ([name, rows]) => [name, concatenate(rows)])),
      cost,
    };
  }

  async #evaluate(
    slots: Map<string, OrtTensor>,
    kind: 'gradient' | 'forward',
    point: 'moves' | 'stays',
    outcomes: Map<string, Float32Array[]>,
  ): Promise<void> {
    const { evaluator, step, setting } = this.#machine;
    for (const [slot, draw] of this.#noise.atStep(
      this.#evaluationReads,
      this.#restart,
      this.#step,
      setting.samples?.count,
    ))
      slots.set(slot, draw);
    const made = await evaluator.evaluate(kind, slots, (slot) => this.#gradientMemory(slot));
    for (const [slot, tensor] of made) slots.set(slot, tensor);
    if (kind === 'forward') this.#withoutGradients(slots);
    for (const [name, tensor] of await this.#advance(step, slots, point === 'moves')) {
      const outcome = name.slice('outcome/'.length);
      outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), float32Data(tensor)]);
    }
  }

  /** Where a gradient is written; anything else is small, and made by the runtime. */
  #gradientMemory(slot: string): OrtTensor | null {
    if (!slot.startsWith('grad/')) return null;
    const { samples } = this.#machine.setting;
    const [examples = 0, ...dims] = this.#resident.get(`x/${slot.slice('grad/'.length)}`)?.dims ?? [];
    return this.#scratch.take(slot, [examples, ...(samples?.gradient === 'each' ? [samples.count] : []), ...dims]);
  }

  /** A finishing evaluation has no gradient: the step program sees zeros, and its next point is not taken. */
  #withoutGradients(slots: Map<string, OrtTensor>): void {
    for (const slot of this.#machine.step.inputNames) {
      const tensor = this.#gradientMemory(slot);
      if (tensor === null) continue;
      float32Data(tensor).fill(0);
      slots.set(slot, tensor);
    }
  }

  async keep(examples: readonly number[]): Promise<void> {
    if (this.#machine.setting.variables.some(({ scope }) => scope === 'shared'))
      throw new RangeError(
        'examples cannot be dropped where a variable is shared: its gradient is a sum over all of them',
      );
    for (const [position, index] of examples.entries()) {
      if (index < 0 || index >= this.#examples || index <= (examples[position - 1] ?? -1)) {
        throw new RangeError(`examples to keep must be strictly increasing and below ${this.#examples}`);
      }
    }
    this.#resident.keep(examples);
    this.#scratch.clear();
    this.#noise.keep(examples);
    this.#examples = examples.length;
  }

  async rebatch(batch: LoopBatch): Promise<void> {
    this.#machine.checkBatch(batch);
    const resident = await layOut({ ...this.#machine, reads: this.#reads }, batch);
    for (const [slot, tensor] of this.#resident.shared()) resident.advance(slot, tensor);
    // The tensors that are written in turns belong to the old batch, those that stay among them.
    this.#scratch.clear();
    this.#resident = resident;
    this.#noise = noiseOf(this.#machine.setting, batch);
    this.#examples = batch.exampleClips.length;
    this.#restart = 0;
    this.#step = 0;
    this.#started = false;
  }

  async fetch(slots: readonly string[], examples?: readonly number[]): Promise<Tensors> {
    const rows = examples ?? [...Array(this.#examples).keys()];
    return new Map(slots.map((slot): [string, Rows] => [slot, this.#resident.fetch(slot, rows)]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#resident.clear();
    this.#scratch.clear();
    await this.#machine.close();
  }
}

const noiseOf = ({ noise }: EvaluationSetting, { noiseKeys }: LoopBatch) =>
  new LoopNoise(noise, [...(noiseKeys ?? [])]);

function concatenate(rows: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let offset = 0;
  for (const row of rows) {
    joined.set(row, offset);
    offset += row.length;
  }
  return joined;
}
