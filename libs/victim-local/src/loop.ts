import { type Feeds, float32Data, OrtTensor, type Session } from '@faultline/ort';
import type { Cost, Loop, LoopPlan, NoiseSlot, StepOptions, StepResult, Tensors } from '@faultline/victim';
import type { CompiledObjective } from './engine.ts';
import { fillNoise } from './noise.ts';
import { gatherRows, isIdentity, type Rows, toFloatRows } from './rows.ts';
import { Scratch } from './scratch.ts';

/** A message works about this long at most, so that streams take turns and cancellation is prompt. */
const MAX_STEP_MS = 1_000;

/** Sessions of one attack. */
export interface LoopSessions {
  readonly objective: CompiledObjective;
  readonly step: Session;
  readonly init: Session | undefined;
}

type Parameters = Readonly<Record<string, Float32Array>>;

const toOrt = (rows: Rows) => new OrtTensor('float32', rows.data, rows.dims);
const fromOrt = (tensor: OrtTensor): Rows => ({ dims: tensor.dims, data: float32Data(tensor) });
const zeros = (dims: readonly number[]): Rows => ({
  dims,
  data: new Float32Array(dims.reduce((product, size) => product * size, 1)),
});

/** The resident slot that a program's output becomes: next/V -> x/V, next/state/S -> state/S. */
function slotAfter(output: string): string | undefined {
  if (output.startsWith('next/state/')) return output.slice('next/'.length);
  return output.startsWith('next/') ? `x/${output.slice('next/'.length)}` : undefined;
}

/** Only what a session takes. */
function feedsFor(session: Session, available: ReadonlyMap<string, OrtTensor>): Feeds {
  const feeds: Record<string, OrtTensor> = {};
  for (const name of session.inputNames) {
    const tensor = available.get(name);
    if (tensor === undefined) throw new RangeError(`slot '${name}' is read by a program but was not provided`);
    feeds[name] = tensor;
  }
  return feeds;
}

/** An attack loop in this process. Everything it holds stays resident between steps. */
export class LocalLoop implements Loop {
  readonly #plan: LoopPlan;
  readonly #sessions: LoopSessions;
  readonly #onClose: () => void;
  /** x/V, x0/V, targets, state/S and frontier values: one group of rows an example. */
  readonly #resident = new Map<string, OrtTensor>();
  readonly #constants = new Map<string, OrtTensor>();
  readonly #scratch = new Scratch();
  readonly #rows = new Map<string, number>();
  #keys: readonly bigint[];
  #examples: number;
  #restart = 0;

  private constructor(plan: LoopPlan, sessions: LoopSessions, onClose: () => void) {
    this.#plan = plan;
    this.#sessions = sessions;
    this.#onClose = onClose;
    this.#examples = plan.exampleClips.length;
    this.#keys = [...(plan.noiseKeys ?? [])];
  }

  /**
   * Lays out the batch and computes what never changes. The init program has not run yet: see `restart`.
   * @param stateDims axis sizes of each state tensor of one example
   */
  static async create(
    plan: LoopPlan,
    sessions: LoopSessions,
    stateDims: ReadonlyMap<string, readonly number[]>,
    onClose: () => void = () => undefined,
  ): Promise<LocalLoop> {
    const loop = new LocalLoop(plan, sessions, onClose);
    await loop.#layOut(stateDims);
    return loop;
  }

  get examples(): number {
    return this.#examples;
  }

  async #layOut(stateDims: ReadonlyMap<string, readonly number[]>): Promise<void> {
    const { plan } = { plan: this.#plan };
    const { objective, step, init } = this.#sessions;
    const used = new Set(
      [objective.gradient, objective.evaluation, step, ...(init ? [init] : [])].flatMap((s) => [...s.inputNames]),
    );
    const byClip = new Map<string, OrtTensor>();
    for (const [name, tensor] of plan.inputs) byClip.set(`x/${name}`, toOrt(toFloatRows(name, tensor)));

    if (objective.ahead !== undefined) {
      const computed = await objective.ahead.run(feedsFor(objective.ahead, byClip));
      for (const { name, rows } of objective.frontier) {
        const value = computed[name];
        if (value === undefined) throw new RangeError(`frontier value '${name}' was not computed`);
        this.#rows.set(name, rows);
        this.#resident.set(name, this.#byExample(value, rows));
      }
    }
    for (const [slot, value] of byClip) {
      const name = slot.slice('x/'.length);
      const clean = `x0/${name}`;
      const moves = plan.variables.some((variable) => variable.name === name);
      if (!moves && !used.has(slot) && !used.has(clean)) continue;
      const rows = this.#byExample(value, 1);
      // The clean point and the starting point may share memory: sessions never write to their inputs.
      if (moves || used.has(slot)) this.#resident.set(slot, rows);
      if (moves || used.has(clean)) this.#resident.set(clean, rows);
    }
    this.#resident.set('targets', toOrt(plan.targets));
    for (const [name, dims] of stateDims) this.#resident.set(`state/${name}`, toOrt(zeros([this.#examples, ...dims])));
    for (const [name, tensor] of plan.constants ?? [])
      this.#constants.set(`const/${name}`, toOrt(toFloatRows(name, tensor)));
  }

  #byExample(value: OrtTensor, rows: number): OrtTensor {
    const clips = (value.dims[0] ?? 0) / rows;
    if (isIdentity(this.#plan.exampleClips, clips)) return value;
    return toOrt(gatherRows(fromOrt(value), this.#plan.exampleClips, rows));
  }

  #available(parameters: Parameters, step: number): Map<string, OrtTensor> {
    const available = new Map([...this.#resident, ...this.#constants]);
    for (const [name, values] of Object.entries(parameters)) {
      const perStep = values.length !== this.#examples;
      const row = perStep ? values.subarray(step * this.#examples, (step + 1) * this.#examples) : values;
      if (row.length !== this.#examples) {
        throw new RangeError(
          `parameter '${name}' has ${values.length} values; give one for each of ${this.#examples} examples, or one for each step and example`,
        );
      }
      available.set(`param/${name}`, new OrtTensor('float32', row, [this.#examples]));
    }
    return available;
  }

  async restart(parameters: Parameters): Promise<void> {
    const { init } = this.#sessions;
    if (init === undefined) throw new RangeError('this loop has no init program to run');
    if (this.#examples > 0) {
      const available = this.#available(parameters, 0);
      for (const slot of this.#plan.noise ?? []) {
        if (init.inputNames.includes(`noise/${slot.name}`)) available.set(`noise/${slot.name}`, this.#noise(slot));
      }
      await this.#advance(init, available, true);
    }
    this.#restart++;
  }

  #noise({ name, distribution, dims }: NoiseSlot): OrtTensor {
    if (this.#plan.noiseKeys === undefined)
      throw new RangeError('the init program reads noise, but the loop was opened without noise keys');
    const values = zeros([this.#examples, ...dims]);
    const size = values.data.length / this.#examples;
    for (const [example, key] of this.#keys.entries()) {
      fillNoise(values.data.subarray(example * size, (example + 1) * size), key, name, this.#restart, distribution);
    }
    return toOrt(values);
  }

  /** Runs an init or step program and takes over next/state/S and, where the point moves, next/V; returns the outcomes. */
  async #advance(
    program: Session,
    available: ReadonlyMap<string, OrtTensor>,
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
    const results = await program.run(feedsFor(program, available), outputs);
    for (const [slot, tensor] of next) this.#resident.set(slot, tensor);
    return new Map(Object.entries(results).filter(([name]) => name.startsWith('outcome/')));
  }

  async step(options: StepOptions): Promise<StepResult> {
    const outcomes = new Map<string, Float32Array[]>();
    const started = performance.now();
    let stepsDone = 0;
    while (
      this.#examples > 0 &&
      stepsDone < options.steps &&
      (stepsDone === 0 || performance.now() - started < MAX_STEP_MS)
    ) {
      await this.#evaluate(this.#available(options.parameters, stepsDone), 'gradient', outcomes);
      stepsDone++;
    }
    if (this.#examples === 0) stepsDone = options.steps;
    const finished = options.finish === true && stepsDone === options.steps;
    if (finished && this.#examples > 0) {
      await this.#evaluate(this.#available(options.parameters, Math.max(0, stepsDone - 1)), 'evaluation', outcomes);
    }
    const gradientExamples = this.#examples * stepsDone;
    const cost: Cost = { forwardExamples: gradientExamples + (finished ? this.#examples : 0), gradientExamples };
    return {
      stepsDone,
      finished,
      outcomes: new Map(Array.from(outcomes, ([name, rows]) => [name, concatenate(rows)])),
      cost,
    };
  }

  async #evaluate(
    available: Map<string, OrtTensor>,
    mode: 'gradient' | 'evaluation',
    outcomes: Map<string, Float32Array[]>,
  ): Promise<void> {
    const { objective, step } = this.#sessions;
    const session = objective[mode];
    const outputs: Record<string, OrtTensor | null> = {};
    for (const name of session.outputNames) {
      const variable = name.startsWith('grad/') ? name.slice('grad/'.length) : undefined;
      const dims = variable === undefined ? undefined : available.get(`x/${variable}`)?.dims;
      outputs[name] = dims === undefined ? null : this.#scratch.take(name, dims);
    }
    for (const [name, tensor] of Object.entries(await session.run(feedsFor(session, available), outputs))) {
      available.set(name, outputs[name] ?? tensor);
    }
    if (mode === 'evaluation') this.#withoutGradients(available);
    for (const [name, tensor] of await this.#advance(step, available, mode === 'gradient')) {
      const outcome = name.slice('outcome/'.length);
      outcomes.set(outcome, [...(outcomes.get(outcome) ?? []), float32Data(tensor)]);
    }
  }

  /** A finishing evaluation has no gradient: the step program sees zeros, and its next point is not taken. */
  #withoutGradients(available: Map<string, OrtTensor>): void {
    for (const { name: variable } of this.#plan.variables) {
      const dims = available.get(`x/${variable}`)?.dims ?? [];
      const tensor = this.#scratch.take(`grad/${variable}`, dims);
      float32Data(tensor).fill(0);
      available.set(`grad/${variable}`, tensor);
    }
  }

  keep(examples: readonly number[]): Promise<void> {
    for (const [position, index] of examples.entries()) {
      if (index < 0 || index >= this.#examples || index <= (examples[position - 1] ?? -1)) {
        throw new RangeError(`examples to keep must be strictly increasing and below ${this.#examples}`);
      }
    }
    for (const [name, tensor] of this.#resident) {
      this.#resident.set(name, toOrt(gatherRows(fromOrt(tensor), examples, this.#rows.get(name) ?? 1)));
    }
    this.#scratch.clear();
    this.#keys = examples.map((index) => this.#keys[index] ?? 0n);
    this.#examples = examples.length;
    return Promise.resolve();
  }

  rebatch(): Promise<void> {
    return Promise.reject(new RangeError('this loop cannot rebatch yet'));
  }

  fetch(slots: readonly string[], examples?: readonly number[]): Promise<Tensors> {
    const fetched = new Map<string, Rows>();
    for (const slot of slots) {
      const tensor = /^(x|state)\//.test(slot) ? this.#resident.get(slot) : undefined;
      if (tensor === undefined)
        throw new RangeError(
          `slot '${slot}' cannot be fetched; there are ${[...this.#resident.keys()].filter((name) => /^(x|state)\//.test(name)).join(', ')}`,
        );
      // A copy in any case: the next step writes into this memory.
      fetched.set(slot, gatherRows(fromOrt(tensor), examples ?? [...Array(this.#examples).keys()]));
    }
    return Promise.resolve(fetched);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#resident.clear();
    this.#scratch.clear();
    this.#constants.clear();
    this.#onClose();
    return Promise.resolve();
  }
}

function concatenate(rows: readonly Float32Array[]): Float32Array {
  const joined = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let offset = 0;
  for (const row of rows) {
    joined.set(row, offset);
    offset += row.length;
  }
  return joined;
}
