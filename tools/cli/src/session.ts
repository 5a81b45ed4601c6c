import { setTimeout } from 'node:timers/promises';
import { score } from '@faultline/contracts';
import { type Client, connect, FaultlineError } from '@faultline/service-kit';
import { UsageError } from './exit-code.ts';
import { ProgressLine } from './output/progress-line.ts';
import { type Endpoint, readEndpoint } from './stack/endpoint.ts';
import { Stack, type StackOptions, type StackPurpose } from './stack/stack.ts';
import { RUNS_DIR } from './workspace.ts';

/** How long services that an endpoint file names may take to answer. */
const ATTACH_TIMEOUT_MS = 3_000;

/** A service that dies takes calls with it; its death, noticed a moment later, explains more than their errors. */
const DEATH_GRACE_MS = 1_000;

export interface SessionOptions extends StackOptions {
  /**
   * What services that are started for the session must be able to do: attack, predict without attacks, or tell what
   * earlier campaigns left.
   */
  readonly needs: StackPurpose;
  readonly signal: AbortSignal;
}

const definition = score.ScoreServiceService;

/** A score service to talk to: that of services which are up, or one started for this call. */
export class Session implements AsyncDisposable {
  readonly score: Client<typeof definition>;
  /** Folder of span files of the services in use, where they write any. */
  readonly traceDir: string | undefined;
  /** Aborts when the caller is interrupted, or a service of this call dies. */
  readonly signal: AbortSignal;
  readonly #caller: AbortSignal;
  readonly #services: Stack | Endpoint;

  private constructor(address: string, traceDir: string | undefined, services: Stack | Endpoint, caller: AbortSignal) {
    this.score = connect(definition, address, { idempotent: ['getCampaign', 'listCampaigns'] });
    this.traceDir = traceDir;
    this.#services = services;
    this.#caller = caller;
    this.signal = services instanceof Stack ? AbortSignal.any([caller, services.died]) : caller;
  }

  /**
   * Attaches to the services that `faultline up` keeps, or else starts what is needed for the life of the session.
   * @throws FaultlineError when they do not start.
   */
  static async open(options: SessionOptions): Promise<Session> {
    const endpoint = await readEndpoint(options.runsDir ?? RUNS_DIR);
    if (endpoint !== undefined) {
      const session = new Session(endpoint.score, endpoint.traceDir, endpoint, options.signal);
      // Else the process lives on but its services do not answer, or the number belongs to another process by now.
      if (await session.#answers()) return session;
      session.score.close();
    }
    using line = new ProgressLine();
    line.say('starting services ...');
    const stack = await Stack.startFor(options.needs, options);
    return new Session(stack.scoreAddress, options.traceDir, stack, options.signal);
  }

  /** True when the services were up before and stay up. */
  get attached(): boolean {
    return !(this.#services instanceof Stack);
  }

  /** The error behind an error of a call: the interruption, the service that died, or the services that went away. */
  async explain(error: unknown): Promise<unknown> {
    if (this.#caller.aborted) return FaultlineError.from(this.#caller.reason);
    if (error instanceof UsageError || (error instanceof FaultlineError && ANSWERS.has(error.code))) return error;
    if (this.#services instanceof Stack) return (await deathOf(this.#services)) ?? error;
    if (await this.#answers()) return error;
    const { pid, logDir } = this.#services;
    const remedy = `start them again with \`faultline up\`; their logs are in ${logDir}`;
    return new FaultlineError('unavailable', `the services that process ${pid} kept do not answer any more: ${remedy}`);
  }

  /** Stops what this session started. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.score.close();
    if (this.#services instanceof Stack) await this.#services[Symbol.asyncDispose]();
  }

  #answers(): Promise<boolean> {
    return this.score.waitForReady(ATTACH_TIMEOUT_MS).then(
      () => true,
      () => false,
    );
  }
}

/** Errors that a service gives on purpose; nothing died. */
const ANSWERS: ReadonlySet<string> = new Set([
  'invalid_argument',
  'not_found',
  'failed_precondition',
  'already_exists',
]);

/** Why a service of this stack died, if one has or does within the grace. */
async function deathOf({ died }: Stack): Promise<unknown> {
  if (!died.aborted) {
    // Ends early, by rejecting, when the signal aborts.
    await setTimeout(DEATH_GRACE_MS, undefined, { signal: died }).catch(() => {});
  }
  return died.aborted ? died.reason : undefined;
}
