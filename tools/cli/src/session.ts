import { score } from '@faultline/contracts';
import { type Client, connect } from '@faultline/service-kit';
import { readEndpoint } from './stack/endpoint.ts';
import { Stack, type StackOptions } from './stack/stack.ts';
import { RUNS_DIR } from './workspace.ts';

/** How long services that an endpoint file names may take to answer. */
const ATTACH_TIMEOUT_MS = 3_000;

export interface SessionOptions extends StackOptions {
  /** What services that are started for the session must be able to do: run campaigns, or tell of earlier ones. */
  readonly needs: 'campaigns' | 'reports';
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
  readonly #stack: Stack | undefined;

  private constructor(address: string, traceDir: string | undefined, stack: Stack | undefined, signal: AbortSignal) {
    this.score = connect(definition, address, { idempotent: ['getCampaign', 'listCampaigns'] });
    this.traceDir = traceDir;
    this.#stack = stack;
    this.signal = stack === undefined ? signal : AbortSignal.any([signal, stack.died]);
  }

  /**
   * Attaches to the services that `faultline up` keeps, or else starts what is needed for the life of the session.
   * @throws FaultlineError when they do not start.
   */
  static async open(options: SessionOptions): Promise<Session> {
    const endpoint = await readEndpoint(options.runsDir ?? RUNS_DIR);
    if (endpoint !== undefined) {
      const session = new Session(endpoint.score, endpoint.traceDir, undefined, options.signal);
      try {
        await session.score.waitForReady(ATTACH_TIMEOUT_MS);
        return session;
      } catch {
        // The process lives on but its services do not answer, or the number belongs to another process by now.
        session.score.close();
      }
    }
    const stack = await (options.needs === 'campaigns' ? Stack.start(options) : Stack.startScore(options));
    return new Session(stack.scoreAddress, options.traceDir, stack, options.signal);
  }

  /** True when the services were up before and stay up. */
  get attached(): boolean {
    return this.#stack === undefined;
  }

  /** Why a service of this session died, if one did within `graceMs`: often the cause of another error. */
  async deathWithin(graceMs: number): Promise<unknown> {
    const died = this.#stack?.died;
    if (died === undefined) return undefined;
    if (!died.aborted) {
      const over = Promise.withResolvers<void>();
      const timer = setTimeout(over.resolve, graceMs);
      died.addEventListener('abort', () => over.resolve(), { once: true });
      await over.promise;
      clearTimeout(timer);
    }
    return died.aborted ? died.reason : undefined;
  }

  /** Stops what this session started. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.score.close();
    await this.#stack?.[Symbol.asyncDispose]();
  }
}
