import type { Programs } from '@faultline/victim';
import type { CompiledEvaluator } from './compiled-evaluator.ts';
import type { Engine, EvaluationPrograms, Loaded, LoadedProgram } from './engine.ts';
import { type Program, readPrograms } from './program.ts';
import { type ShapedProgram, type ShapedPrograms, shapeProgram, shapePrograms } from './program-shape.ts';
import { type Lease, SessionCache } from './session-cache.ts';
import { type EvaluationSetting, settingKey } from './setting.ts';
import { splitSlot } from './slots.ts';

/** Compiled evaluations kept warm; an attack needs one for each set of variables. */
const KEPT_EVALUATORS = 8;

/** Step and init programs kept warm; they are small. */
const KEPT_PROGRAMS = 32;

/** Readers of taps kept warm; each holds the victim's weights. */
const KEPT_TAP_READERS = 4;

/** Bytes of warm step and init programs, and of readers of taps. */
const PROGRAM_SESSION_BYTES = 64 * 1024 * 1024;

/** Shapes of programs kept. */
const KEPT_SHAPES = 128;

/** Everything that is compiled for a victim, kept warm within limits. */
export class VictimSessions implements AsyncDisposable {
  readonly #engine: Engine;
  readonly #evaluators: SessionCache<CompiledEvaluator>;
  readonly #programs: SessionCache<LoadedProgram>;
  readonly #tapReaders: SessionCache<Loaded>;
  readonly #shapes = new Map<string, Promise<ShapedProgram>>();

  /** @param evaluatorBytes estimated bytes of the warm evaluators that nobody uses, at most */
  constructor(engine: Engine, evaluatorBytes: number) {
    this.#engine = engine;
    this.#evaluators = new SessionCache({ entries: KEPT_EVALUATORS, bytes: evaluatorBytes });
    this.#programs = new SessionCache({ entries: KEPT_PROGRAMS, bytes: PROGRAM_SESSION_BYTES });
    this.#tapReaders = new SessionCache({ entries: KEPT_TAP_READERS, bytes: PROGRAM_SESSION_BYTES });
  }

  /** Reads, checks and shapes the programs of a loop. @throws ProgramError */
  shaped(programs: Programs, setting: EvaluationSetting): Promise<ShapedPrograms> {
    return shapePrograms(readPrograms(programs), (program) => this.shape(program, setting));
  }

  /** Shapes one program. @throws ProgramError */
  shape(program: Program, setting: EvaluationSetting): Promise<ShapedProgram> {
    const key = `${program.role} ${program.digest} ${settingKey(setting)}`;
    const shaped = this.#shapes.get(key) ?? shapeProgram(program, setting);
    this.#shapes.delete(key);
    this.#shapes.set(key, shaped);
    shaped.catch(() => this.#shapes.delete(key));
    const [oldest] = this.#shapes.keys();
    if (this.#shapes.size > KEPT_SHAPES && oldest !== undefined) this.#shapes.delete(oldest);
    return shaped;
  }

  /** The evaluator of a setting and its programs. @throws OnnxError, RangeError: see Engine.compile */
  evaluator(setting: EvaluationSetting, programs: EvaluationPrograms): Promise<Lease<CompiledEvaluator>> {
    const { transform, objective, step, init } = programs;
    const taps = [step, init].map((program) =>
      program?.graph.inputs.map(({ name }) => name).filter((name) => ['tap', 'tap0'].includes(splitSlot(name)[0])),
    );
    const key = JSON.stringify([
      settingKey(setting),
      transform?.program.digest,
      objective.program.digest,
      taps.flatMap((names) => names ?? []).sort(),
    ]);
    return this.#evaluators.take(key, () => this.#engine.compile(setting, programs));
  }

  /** A step or init program. */
  program(shaped: ShapedProgram, setting: EvaluationSetting): Promise<Lease<LoadedProgram>> {
    const { role, digest } = shaped.program;
    return this.#programs.take(`${role} ${digest} ${settingKey(setting)}`, () => this.#engine.load(shaped));
  }

  /** (x0/I, x/T of `given`) -> logits, tap0/T of `names`. */
  tapReader(names: readonly string[], given: readonly string[]): Promise<Lease<Loaded>> {
    const [read, put] = [names, given].map((some) => [...new Set(some)].sort());
    const key = JSON.stringify([read, put]);
    return this.#tapReaders.take(key, () => this.#engine.tapReader(read ?? [], put ?? []));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#evaluators[Symbol.asyncDispose]();
    await this.#programs[Symbol.asyncDispose]();
    await this.#tapReaders[Symbol.asyncDispose]();
  }
}
