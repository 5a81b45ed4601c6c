import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { victim } from '@faultline/contracts';
import { OnnxError } from '@faultline/onnx';
import type { OrtTensor } from '@faultline/ort';
import {
  type DifferentiateRequest,
  type Gradients,
  type Loop,
  type LoopFootprint,
  type LoopPlan,
  type LoopShape,
  type Parameters,
  PROTOCOL_VERSION,
  type Prediction,
  type PredictOptions,
  parseCard,
  type Tensors,
  type Victim,
  type VictimDescription,
} from '@faultline/victim';
import {
  checkInputBatch,
  checkLoopSize,
  checkTapValues,
  checkTargets,
  checkUploaded,
  MAX_EXAMPLES,
} from './batch-check.ts';
import { composeVictim } from './compose-victim.ts';
import { Engine } from './engine.ts';
import { feedsFor } from './feeds.ts';
import { checkProgramBytes, footprintOf, PROGRAM_BYTES } from './footprint.ts';
import { examineVictim } from './gradient-support.ts';
import { layOut } from './lay-out.ts';
import { LocalLoop } from './loop.ts';
import { loopRules } from './loop-rules.ts';
import { namedLoss } from './named-losses.ts';
import { constantSlots, parameterSlots, sharedParameters } from './parameters.ts';
import { ProgramError, readProgram } from './program.ts';
import { fromOrt, toOrt } from './resident.ts';
import { toFloatRows } from './rows.ts';
import type { Lease } from './session-cache.ts';
import { settingOf } from './setting.ts';
import { type CleanVictim, cleanVictim } from './unchanged-victim.ts';
import { readVictimFiles, type VictimFiles } from './victim-files.ts';
import { VictimSessions } from './victim-sessions.ts';

/** Bytes of compiled evaluations kept warm; see LocalVictimOptions. */
const SESSION_BYTES = 1024 ** 3;

export interface LocalVictimOptions extends VictimFiles {
  readonly card: victim.Card;
  /** Threads of one evaluation; default 1. */
  readonly threads?: number;
  /** Loops that the host serves at once; told to callers, kept by the host. Default 1. */
  readonly optimizeSlots?: number;
  /** Most bytes that the values of one program may take at once. Default 2 GiB. */
  readonly programBytes?: number;
  /** Most bytes of compiled evaluations that are kept warm while nobody uses them, as estimated. Default 1 GiB. */
  readonly sessionBytes?: number;
}

/** An ONNX model in this process. Calls block the calling thread while they compute. */
export class LocalVictim implements Victim {
  readonly #description: VictimDescription;
  readonly #engine: Engine;
  readonly #predictor: CleanVictim;
  readonly #sessions: VictimSessions;
  readonly #programBytes: number;

  private constructor(
    description: VictimDescription,
    engine: Engine,
    predictor: CleanVictim,
    {
      programBytes = PROGRAM_BYTES,
      sessionBytes = SESSION_BYTES,
    }: Pick<LocalVictimOptions, 'programBytes' | 'sessionBytes'>,
  ) {
    this.#description = description;
    this.#engine = engine;
    this.#predictor = predictor;
    this.#sessions = new VictimSessions(engine, sessionBytes);
    this.#programBytes = programBytes;
  }

  /**
   * Loads a victim.
   * @throws CardError when the card does not describe these files, OnnxError when a graph cannot be read.
   */
  static async load(options: LocalVictimOptions): Promise<LocalVictim> {
    const { card, threads = 1 } = options;
    const { model, gradient } = await examineVictim(card, composeVictim(card, options));
    const engine = new Engine(model, card.logits, { threads }, card.taps);
    const description: VictimDescription = {
      card,
      protocolVersion: PROTOCOL_VERSION,
      optimizeSlots: options.optimizeSlots ?? 1,
      maxExamples: MAX_EXAMPLES,
      runtime: runtimeName(),
      threads,
      gradient,
    };
    return new LocalVictim(description, engine, await cleanVictim(options, engine), options);
  }

  /** Loads the victim of a folder that holds card.json and the files that it names. */
  static async fromFolder(
    folder: string,
    options: Omit<LocalVictimOptions, keyof VictimFiles | 'card'> = {},
  ): Promise<LocalVictim> {
    const card = parseCard(await readFile(path.join(folder, 'card.json'), 'utf8'));
    return LocalVictim.load({ card, ...(await readVictimFiles(folder, card)), ...options });
  }

  async describe(): Promise<VictimDescription> {
    return { ...this.#description, taps: await this.#describeTaps() };
  }

  /** The taps with their shapes; undefined where the victim's inner shapes cannot be learnt, and predictions are all it is good for. */
  async #describeTaps(): Promise<VictimDescription['taps']> {
    try {
      const { shapes } = await this.#engine.analysis();
      return Array.from(shapes.taps, ([name, dims]) => ({ name, dims }));
    } catch (error) {
      if (error instanceof OnnxError) return undefined;
      throw error;
    }
  }

  async predict(inputs: Tensors, { taps = [], tapValues = new Map() }: PredictOptions = {}): Promise<Prediction> {
    const { card } = this.#description;
    const examples = checkInputBatch(card, inputs);
    const clean = new Map(Array.from(inputs, ([name, tensor]) => [name, toOrt(toFloatRows(name, tensor))]));
    const results: Readonly<Record<string, OrtTensor>> =
      taps.length === 0 && tapValues.size === 0
        ? { logits: await this.#predictor.logits(clean) }
        : await this.#atTaps(clean, taps, tapValues, examples);
    const { logits, ...values } = results;
    if (logits === undefined) throw new RangeError('the victim gave no logits');
    return {
      logits: fromOrt(logits),
      taps: new Map(Object.entries(values).map(([slot, value]) => [slot.slice('tap0/'.length), fromOrt(value)])),
      modelSha256: card.sha256,
      cost: { forwardExamples: examples, gradientExamples: 0 },
    };
  }

  /** Reads taps, and puts values in the place of others. */
  async #atTaps(
    inputs: ReadonlyMap<string, OrtTensor>,
    names: readonly string[],
    values: Tensors,
    examples: number,
  ): Promise<Readonly<Record<string, OrtTensor>>> {
    const { shapes } = await this.#engine.analysis();
    const unknown = [...names, ...values.keys()].find((name) => !shapes.taps.has(name));
    if (unknown !== undefined)
      throw new RangeError(
        `'${unknown}' is no tap of this victim; its taps are ${[...shapes.taps.keys()].join(', ') || 'none'}`,
      );
    checkTapValues(shapes, values, examples);
    const lease = await this.#sessions.tapReader(names, [...values.keys()]);
    try {
      const { session } = lease.value;
      const feeds = new Map(Array.from(inputs, ([name, value]) => [`x0/${name}`, value]));
      for (const [name, value] of values) feeds.set(`x/${name}`, toOrt(toFloatRows(name, value)));
      return await session.run(feedsFor(session, feeds));
    } finally {
      await lease.release();
    }
  }

  /**
   * Gradients at a batch.
   * @throws ProgramError for an objective that may not run, RangeError for a batch or a variable that does not fit, OnnxError where
   * there is no gradient.
   */
  async differentiate(request: DifferentiateRequest): Promise<Gradients> {
    const { card } = this.#description;
    const { inputs, targets, constants, parameters = {} } = request;
    const examples = checkInputBatch(card, inputs);
    checkTargets(targets, examples, card.labels.length);
    const variables = request.variables.map((name) => ({ name, scope: 'example' }) as const);
    const { straightThrough = false } = request;
    const setting = { ...settingOf({ variables }, (await this.#engine.analysis()).shapes), straightThrough };
    const bytes = typeof request.objective === 'string' ? namedLoss(request.objective, card) : request.objective;
    const objective = await this.#sessions.shape(readProgram('objective', bytes), setting);
    const unmet = objective.graph.inputs.find(({ name }) => /^(state|noise|data)\//.test(name));
    if (unmet !== undefined) throw new ProgramError('objective', `reads '${unmet.name}', which only a loop has`);
    checkUploaded('const', [objective], constants);
    const programs = { transform: undefined, objective, step: undefined, init: undefined };
    const lease = await this.#sessions.evaluator(setting, programs);
    try {
      const evaluator = lease.value;
      const batch = { exampleClips: [...Array(examples).keys()], inputs, targets };
      const resident = await layOut({ setting, evaluator, reads: evaluator.reads, states: new Map() }, batch);
      const slots = resident.slots();
      for (const [slot, tensor] of constantSlots(constants)) slots.set(slot, tensor);
      for (const [slot, tensor] of parameterSlots(parameters, examples, sharedParameters([objective]), 0))
        slots.set(slot, tensor);
      const made = await evaluator.evaluate('gradient', slots, () => null);
      const value = (slot: string) => {
        const tensor = made.get(slot);
        if (tensor === undefined) throw new RangeError(`the evaluation made no '${slot}'`);
        return fromOrt(tensor);
      };
      return {
        gradients: new Map(request.variables.map((name) => [name, value(`grad/${name}`)])),
        loss: value('loss'),
        logits: value('logits'),
        modelSha256: card.sha256,
        cost: { forwardExamples: examples, gradientExamples: examples },
      };
    } finally {
      await lease.release();
    }
  }

  async open(plan: LoopPlan, parameters: Parameters): Promise<Loop> {
    const loop = await this.prepare(plan);
    if (plan.programs.init !== undefined) await loop.restart(parameters);
    return loop;
  }

  /**
   * What a loop would take, from shapes alone. Compiles nothing.
   * @throws ProgramError for programs that may not run, RangeError for a shape that does not fit the victim.
   */
  async estimate(shape: LoopShape): Promise<LoopFootprint> {
    const analysis = await this.#engine.analysis();
    const setting = settingOf(shape, analysis.shapes);
    checkLoopSize(shape.examples, setting.samples?.count ?? 1);
    const programs = await this.#sessions.shaped(shape.programs, setting);
    checkProgramBytes(programs, setting, shape.examples, this.#programBytes);
    return footprintOf(analysis, setting, programs, shape);
  }

  /** As `open`, but the init program waits for the first `restart`. */
  async prepare(plan: LoopPlan): Promise<LocalLoop> {
    const { card } = this.#description;
    const setting = settingOf(plan, (await this.#engine.analysis()).shapes);
    const programs = await this.#sessions.shaped(plan.programs, setting);
    const rules = loopRules(card, setting, programs, this.#programBytes);
    rules.checkPlan(plan);
    await using opened = new AsyncDisposableStack();
    const lease = <Value>(taken: Lease<Value>): Value => {
      opened.defer(() => taken.release());
      return taken.value;
    };
    const evaluator = lease(await this.#sessions.evaluator(setting, programs));
    const step = lease(await this.#sessions.program(programs.step, setting)).computation;
    const init = programs.init && lease(await this.#sessions.program(programs.init, setting)).computation;
    const machine = { ...rules, evaluator, step, init };
    const leases = opened.move();
    try {
      return await LocalLoop.create({ ...machine, close: () => leases.disposeAsync() }, plan);
    } catch (error) {
      await leases.disposeAsync();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sessions[Symbol.asyncDispose]();
    await this.#predictor[Symbol.asyncDispose]();
  }
}

function runtimeName(): string {
  const manifest: unknown = createRequire(import.meta.url)('onnxruntime-node/package.json');
  const version = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined;
  return `onnxruntime-node ${String(version)}`;
}
