import { join } from 'node:path';
import { FaultlineError } from '@faultline/service-kit';
import { CLIPS_DIR, COMPILE_CACHE_DIR, RUNS_DIR, VICTIMS_DIR, WORKSPACE } from '../workspace.ts';
import { logFileOf, makeLogFolder } from './log-folder.ts';
import { ServiceProcess } from './service-process.ts';
import { victimFolders } from './victim-folders.ts';

export interface StackOptions {
  /** Folder with one folder a victim; default: the victims that ship with the project. */
  readonly victimsDir?: string;
  /** Names of the victims to serve; empty: all in the folder. */
  readonly only?: readonly string[];
  /** Clip set; default: the one that ships with the project. */
  readonly clipsDir?: string;
  /** Folder of runs and of the database; default: `runs` in the checkout. */
  readonly runsDir?: string;
  /** Where services append their finished spans; unset: nowhere. */
  readonly traceDir?: string | undefined;
  /** Variables for all services beside the environment of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Variables for the inference services alone. */
  readonly inferenceEnv?: Readonly<Record<string, string>>;
  /** Gets each line that a service logs. */
  readonly onLog?: ((service: string, line: string) => void) | undefined;
  /** Gives up starting when aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** What a stack is for: attacks need every service, predictions all but attack, records score alone. */
export type StackPurpose = 'attacks' | 'predictions' | 'records';

/** How long services may take to end by themselves: longer than a loop's slice of work, shorter than patience. */
const STOP_GRACE_MS = 8_000;

/** A first start on a busy machine makes the database, which alone takes up to 10 s. */
const START_TIMEOUT_MS = 120_000;

/** An address that nobody listens at. */
const NOWHERE = '127.0.0.1:1';

/** The only variable of services that their starter passes on; the rest it sets itself. */
const PASSED_ON = 'FAULTLINE_LOG_LEVEL';

/** The services of a campaign, each in a process of its own on 127.0.0.1. Disposing stops every one. */
export class Stack implements AsyncDisposable {
  readonly #processes: ServiceProcess[] = [];
  readonly #died = new AbortController();
  readonly #options: StackOptions;
  readonly #victims = new Map<string, string>();
  readonly #killOnExit = () => this.kill();
  readonly #logDir: string;
  #scoreAddress = '';

  private constructor(options: StackOptions, logDir: string) {
    this.#options = options;
    this.#logDir = logDir;
    process.on('exit', this.#killOnExit);
  }

  /**
   * Starts inference (one process a victim), features, attack and score; resolves when all are ready.
   * @throws UsageError when there are no victims.
   * @throws FaultlineError with the last words of the service that did not start. Nothing is left running then.
   */
  static start(options: StackOptions = {}): Promise<Stack> {
    return Stack.startFor('attacks', options);
  }

  /** As `start`, with those services alone that the purpose asks for. */
  static startFor(purpose: StackPurpose, options: StackOptions = {}): Promise<Stack> {
    return Stack.#started(options, (stack) => stack.#startAll(purpose));
  }

  static async #started(options: StackOptions, start: (stack: Stack) => Promise<void>): Promise<Stack> {
    const stack = new Stack(options, await makeLogFolder(options.runsDir ?? RUNS_DIR));
    try {
      await start(stack);
    } catch (error) {
      await stack[Symbol.asyncDispose]();
      throw error;
    }
    return stack;
  }

  /** Address of the score service, which is all that a client of campaigns needs. */
  get scoreAddress(): string {
    return this.#scoreAddress;
  }

  /** Folder of the services' logs, a file each. */
  get logDir(): string {
    return this.#logDir;
  }

  /** Address of each victim's inference service. */
  get victims(): ReadonlyMap<string, string> {
    return this.#victims;
  }

  get processes(): readonly ServiceProcess[] {
    return this.#processes;
  }

  /** Aborts, with a FaultlineError that names the service, when one ends that was not asked to. */
  get died(): AbortSignal {
    return this.#died.signal;
  }

  /** Kills what still runs, at once. */
  kill(): void {
    for (const service of this.#processes) service.kill();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#processes.map((service) => service.stop(STOP_GRACE_MS)));
    process.off('exit', this.#killOnExit);
  }

  async #startAll(purpose: StackPurpose): Promise<void> {
    if (purpose === 'records') return this.#startScore(NOWHERE, NOWHERE);
    const folders = await victimFolders(this.#options.victimsDir ?? VICTIMS_DIR, this.#options.only);
    const features = this.#launch('features', 'features', {});
    const inference = [...folders].map(([victim, folder]) => ({
      victim,
      service: this.#launch(`inference (${victim})`, 'inference', {
        ...this.#options.inferenceEnv,
        FAULTLINE_VICTIM_DIR: folder,
      }),
    }));
    for (const { victim, service } of inference) this.#victims.set(victim, await this.#ready(service));
    const attack =
      purpose === 'predictions'
        ? NOWHERE
        : await this.#ready(this.#launch('attack', 'attack', { FAULTLINE_VICTIMS: this.#victimMap() }));
    await this.#startScore(await this.#ready(features), attack);
  }

  async #startScore(features: string, attack: string): Promise<void> {
    const { clipsDir = CLIPS_DIR, runsDir = RUNS_DIR } = this.#options;
    const score = this.#launch('score', 'score', {
      FAULTLINE_VICTIMS: this.#victimMap(),
      FAULTLINE_FEATURES_ADDRESS: features,
      FAULTLINE_ATTACK_ADDRESS: attack,
      FAULTLINE_RUNS_DIR: runsDir,
      FAULTLINE_CLIPS_DIR: clipsDir,
    });
    this.#scoreAddress = await this.#ready(score);
  }

  #victimMap(): string {
    return JSON.stringify(Object.fromEntries(this.#victims));
  }

  #launch(name: string, service: string, env: Readonly<Record<string, string>>): ServiceProcess {
    const { traceDir, onLog } = this.#options;
    const launched = new ServiceProcess({
      name,
      main: join(WORKSPACE, 'services', service, 'src/main.ts'),
      cwd: WORKSPACE,
      env: {
        ...inheritedEnvironment(),
        ...(traceDir === undefined ? {} : { FAULTLINE_TRACE_DIR: traceDir }),
        ...this.#options.env,
        ...env,
      },
      logFile: logFileOf(this.#logDir, name),
      onLog,
    });
    this.#processes.push(launched);
    launched.ended.then((ending) => {
      const error = launched.unexpectedEnd(ending);
      if (error !== undefined) this.#died.abort(error);
    });
    return launched;
  }

  /** The service's address; fails when it, or any other service, ends, takes too long, or nobody waits any more. */
  async #ready(service: ServiceProcess): Promise<string> {
    const limit = AbortSignal.timeout(START_TIMEOUT_MS);
    const signals = [this.#died.signal, limit, ...(this.#options.signal === undefined ? [] : [this.#options.signal])];
    const stopped = Promise.withResolvers<never>();
    const stop = AbortSignal.any(signals);
    const onStop = () =>
      stopped.reject(
        limit.aborted
          ? new FaultlineError(
              'unavailable',
              `service ${service.name} was not ready after ${START_TIMEOUT_MS / 1000} s; its log is ${service.logFile}`,
            )
          : stop.reason,
      );
    if (stop.aborted) onStop();
    stop.addEventListener('abort', onStop, { once: true });
    try {
      return await Promise.race([service.ready, stopped.promise]);
    } finally {
      stop.removeEventListener('abort', onStop);
    }
  }
}

/** This process's environment without the variables of services, which are set here and nowhere else. */
function inheritedEnvironment(): Record<string, string> {
  const kept = Object.entries(process.env).flatMap(([name, value]) =>
    value !== undefined && (name === PASSED_ON || !name.startsWith('FAULTLINE_')) ? [[name, value]] : [],
  );
  // Node keeps what it has compiled there, which halves the time in which a service starts.
  return { FAULTLINE_LOG_LEVEL: 'warn', NODE_COMPILE_CACHE: COMPILE_CACHE_DIR, ...Object.fromEntries(kept) };
}
