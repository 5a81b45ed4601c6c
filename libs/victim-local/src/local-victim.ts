import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { victim } from '@faultline/contracts';
import { float32Data, OrtTensor, type Session } from '@faultline/ort';
import {
  exampleDims,
  type Loop,
  type LoopPlan,
  PROTOCOL_VERSION,
  type Prediction,
  parseCard,
  type Tensors,
  type Victim,
  type VictimDescription,
} from '@faultline/victim';
import { composeVictim } from './compose-victim.ts';
import { type CompiledObjective, Engine } from './engine.ts';
import { examineVictim } from './gradient-support.ts';
import { LocalLoop } from './loop.ts';
import { type Program, ProgramError, readProgram } from './program.ts';
import { toFloatRows } from './rows.ts';
import { SessionCache } from './session-cache.ts';
import { readVictimFiles, type VictimFiles } from './victim-files.ts';

/** Largest batch of one loop or prediction; bounds memory, for every example keeps its activations. */
export const MAX_EXAMPLES = 256;

/** Compiled objectives kept warm; an attack needs one for each set of variables. */
const KEPT_OBJECTIVES = 4;

/** Step and init programs kept warm; they are small. */
const KEPT_PROGRAMS = 16;

export interface LocalVictimOptions extends VictimFiles {
  readonly card: victim.Card;
  /** Threads of one evaluation; default 1. */
  readonly threads?: number;
  /** Loops that the host serves at once; told to callers, kept by the host. Default 1. */
  readonly optimizeSlots?: number;
}

/** An ONNX model in this process. Calls block the calling thread while they compute. */
export class LocalVictim implements Victim {
  readonly #description: VictimDescription;
  readonly #engine: Engine;
  readonly #predictor: Session;
  readonly #objectives = new SessionCache<CompiledObjective>(KEPT_OBJECTIVES);
  readonly #programs = new SessionCache<Session>(KEPT_PROGRAMS);

  private constructor(description: VictimDescription, engine: Engine, predictor: Session) {
    this.#description = description;
    this.#engine = engine;
    this.#predictor = predictor;
  }

  /**
   * Loads a victim.
   * @throws CardError when the card does not describe these files, OnnxError when a graph cannot be read.
   */
  static async load(options: LocalVictimOptions): Promise<LocalVictim> {
    const { card, threads = 1 } = options;
    const { model, gradient } = await examineVictim(card, composeVictim(card, options));
    const engine = new Engine(model, card.logits, { threads });
    const description: VictimDescription = {
      card,
      protocolVersion: PROTOCOL_VERSION,
      optimizeSlots: options.optimizeSlots ?? 1,
      maxExamples: MAX_EXAMPLES,
      runtime: runtimeName(),
      threads,
      gradient,
    };
    return new LocalVictim(description, engine, await engine.predictor());
  }

  /** Loads the victim of a folder that holds card.json and the files that it names. */
  static async fromFolder(
    folder: string,
    options: { threads?: number; optimizeSlots?: number } = {},
  ): Promise<LocalVictim> {
    const card = parseCard(await readFile(path.join(folder, 'card.json'), 'utf8'));
    return LocalVictim.load({ card, ...(await readVictimFiles(folder, card)), ...options });
  }

  describe(): Promise<VictimDescription> {
    return Promise.resolve(this.#description);
  }

  async predict(inputs: Tensors): Promise<Prediction> {
    const examples = this.#checkBatch(inputs);
    const feeds = Object.fromEntries(
      Array.from(inputs, ([name, tensor]) => [
        `x/${name}`,
        new OrtTensor('float32', toFloatRows(name, tensor).data, tensor.dims),
      ]),
    );
    const { logits } = await this.#predictor.run(feeds);
    if (logits === undefined) throw new RangeError('the victim gave no logits');
    return {
      logits: { dims: logits.dims, data: float32Data(logits) },
      taps: new Map(),
      modelSha256: this.#description.card.sha256,
      cost: { forwardExamples: examples, gradientExamples: 0 },
    };
  }

  differentiate(): Promise<never> {
    return Promise.reject(new RangeError('this victim cannot differentiate yet'));
  }

  async open(plan: LoopPlan, parameters: Readonly<Record<string, Float32Array>>): Promise<Loop> {
    const loop = await this.prepare(plan);
    if (plan.programs.init !== undefined) await loop.restart(parameters);
    return loop;
  }

  /** As `open`, but the init program waits for the first `restart`. */
  async prepare(plan: LoopPlan): Promise<LocalLoop> {
    this.#checkPlan(plan);
    const objective = readProgram('objective', plan.programs.objective);
    const step = readProgram('step', plan.programs.step);
    const init = plan.programs.init === undefined ? undefined : readProgram('init', plan.programs.init);
    const variables = plan.variables.map(({ name }) => name);
    const key = `${objective.digest} ${[...variables].sort().join(' ')}`;
    const leases = {
      objective: await this.#objectives.take(key, () => this.#engine.compile(objective, variables)),
      step: await this.#programs.take(step.digest, () => this.#engine.load(step)),
      init: init && (await this.#programs.take(init.digest, () => this.#engine.load(init))),
    };
    const release = () => {
      for (const lease of [leases.objective, leases.step, leases.init]) lease?.release();
    };
    try {
      const sessions = { objective: leases.objective.value, step: leases.step.value, init: leases.init?.value };
      return await LocalLoop.create(plan, sessions, stateDims([step, ...(init ? [init] : [])]), release);
    } catch (error) {
      release();
      throw error;
    }
  }

  /** Number of examples of a complete, consistent batch of inputs. */
  #checkBatch(inputs: Tensors): number {
    let examples: number | undefined;
    for (const specification of this.#description.card.inputs) {
      const tensor = inputs.get(specification.name);
      if (tensor === undefined) throw new RangeError(`input '${specification.name}' is missing`);
      const dims = exampleDims(specification);
      const [batch = 0, ...rest] = tensor.dims;
      if (rest.join() !== dims.join()) {
        throw new RangeError(
          `input '${specification.name}' is [${tensor.dims.join(', ')}]; it must be [batch, ${dims.join(', ')}]`,
        );
      }
      if (examples !== undefined && batch !== examples) {
        throw new RangeError(`input '${specification.name}' holds ${batch} examples, another input ${examples}`);
      }
      examples = batch;
    }
    for (const name of inputs.keys()) {
      if (!this.#engine.inputs.includes(name))
        throw new RangeError(`'${name}' is no input of this victim; its inputs are ${this.#engine.inputs.join(', ')}`);
    }
    if (examples === undefined || examples < 1 || examples > MAX_EXAMPLES) {
      throw new RangeError(`a batch holds 1 to ${MAX_EXAMPLES} examples, not ${examples ?? 0}`);
    }
    return examples;
  }

  #checkPlan(plan: LoopPlan): void {
    const { card } = this.#description;
    const clips = this.#checkBatch(plan.inputs);
    const examples = plan.exampleClips.length;
    if (examples < 1 || examples > MAX_EXAMPLES)
      throw new RangeError(`a loop holds 1 to ${MAX_EXAMPLES} examples, not ${examples}`);
    if (plan.exampleClips.some((clip) => clip >= clips))
      throw new RangeError(`an example names a clip outside the ${clips} uploaded`);
    if (plan.variables.length === 0) throw new RangeError('name at least one variable');
    for (const { name: variable } of plan.variables) {
      if (!this.#engine.inputs.includes(variable)) {
        throw new RangeError(
          `variable '${variable}' is no input of this victim; its inputs are ${this.#engine.inputs.join(', ')}`,
        );
      }
    }
    if (plan.targets.dims.join() !== [examples, card.labels.length].join()) {
      throw new RangeError(
        `targets are [${plan.targets.dims.join(', ')}]; they must be [${examples}, ${card.labels.length}]`,
      );
    }
    if (plan.noiseKeys !== undefined && plan.noiseKeys.length !== examples) {
      throw new RangeError(`there are ${plan.noiseKeys.length} noise keys for ${examples} examples`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#objectives[Symbol.asyncDispose]();
    await this.#programs[Symbol.asyncDispose]();
    await this.#predictor[Symbol.asyncDispose]();
  }
}

/** Axis sizes of each state tensor of one example, as the programs declare them. */
function stateDims(programs: readonly Program[]): Map<string, readonly number[]> {
  const declared = new Map<string, readonly number[]>();
  for (const { role, graph } of programs) {
    for (const input of graph.inputs) {
      if (!input.name.startsWith('state/')) continue;
      const dims = (input.dims ?? []).slice(1).filter((size) => typeof size === 'number');
      if (input.dims === undefined || dims.length !== input.dims.length - 1) {
        throw new ProgramError(role, `input '${input.name}' must be declared [examples, ...] with fixed further axes`);
      }
      const name = input.name.slice('state/'.length);
      const other = declared.get(name);
      if (other !== undefined && other.join() !== dims.join()) {
        throw new ProgramError(
          role,
          `state '${name}' is [${dims.join(', ')}] here and [${other.join(', ')}] in another program`,
        );
      }
      declared.set(name, dims);
    }
  }
  return declared;
}

function runtimeName(): string {
  const manifest: unknown = createRequire(import.meta.url)('onnxruntime-node/package.json');
  const version = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined;
  return `onnxruntime-node ${String(version)}`;
}
