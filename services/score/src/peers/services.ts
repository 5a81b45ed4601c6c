import { attack, common, features, inference, type victim } from '@faultline/contracts';
import { type Client, connect, FaultlineError, NamedTargets } from '@faultline/service-kit';
import type { Victim } from '@faultline/victim';
import { RemoteVictim } from '@faultline/victim-grpc';
import { float32Rows } from './tensor-rows.ts';
import { type VictimUnderTest, victimUnderTest } from './victim-under-test.ts';

/** Addresses of the services that a campaign uses. */
export interface ServiceAddresses {
  readonly victims: Readonly<Record<string, string>>;
  readonly features: string;
  readonly attack: string;
}

/** Fresh predictions of a batch. */
export interface FreshPrediction {
  /** One row a clip, [labels]. */
  readonly logits: readonly Float32Array[];
  /** By tap that was asked for, one row a clip. */
  readonly tapRows: ReadonlyMap<string, readonly Float32Array[]>;
  readonly cost: common.EvaluationCost;
}

/** What is predicted. */
export interface PredictionPoint {
  readonly inputs: common.NamedTensor[];
  /** Taps to read. */
  readonly taps?: string[];
  /** Values in the place of taps. */
  readonly tapValues?: common.NamedTensor[];
}

/** An answer that does not need the weights; longer means that the service hangs. */
const METADATA_DEADLINE_MS = 30_000;
const EXTRACT_DEADLINE_MS = 60_000;
/** A prediction waits behind at most one message of an attack loop (about a second); the rest is a slow machine. */
const PREDICT_DEADLINE_MS = 120_000;
/** An attack reports progress every second or so. */
const ATTACK_SILENCE_MS = 120_000;
/** Probe of a victim after an attack failed: it answers at once, or it is gone. */
const PROBE_DEADLINE_MS = 5_000;

const NO_COST: common.EvaluationCost = { forwardExamples: 0, gradientExamples: 0 };

/** The other services as a campaign sees them. Every call has a deadline; every error names the service and, where there is one, the victim. */
export class Services implements Disposable {
  readonly #addresses: Readonly<Record<string, string>>;
  readonly #victims: NamedTargets<Client<typeof inference.InferenceServiceService>>;
  readonly #features: Client<typeof features.FeaturesServiceService>;
  readonly #attack: Client<typeof attack.AttackServiceService>;
  readonly #lookedAt = new Map<string, RemoteVictim>();
  readonly #context = common.RequestContext.fromPartial({ caller: 'score' });

  constructor(addresses: ServiceAddresses) {
    this.#addresses = addresses.victims;
    this.#victims = new NamedTargets('victim', addresses.victims, (address) =>
      connect(inference.InferenceServiceService, address, { idempotent: ['describe', 'predict'] }),
    );
    this.#features = connect(features.FeaturesServiceService, addresses.features, { idempotent: ['extract'] });
    this.#attack = connect(attack.AttackServiceService, addresses.attack, { idempotent: ['listAttacks'] });
  }

  /** Names of the configured victims, in the configuration's order. */
  get victimNames(): readonly string[] {
    return this.#victims.names;
  }

  /** Target of a victim's inference service in the configuration. */
  addressOf(name: string): string {
    return this.#addresses[name] ?? '';
  }

  async describe(name: string, signal?: AbortSignal, deadlineMs = METADATA_DEADLINE_MS): Promise<VictimUnderTest> {
    return named(`victim '${name}': inference service`, async () =>
      victimUnderTest(name, await this.#describe(name, deadlineMs, signal)),
    );
  }

  /** The attack service's catalogue. */
  async attacks(signal?: AbortSignal): Promise<readonly attack.AttackDescription[]> {
    const options = { deadlineMs: METADATA_DEADLINE_MS, ...(signal === undefined ? {} : { signal }) };
    const response = await named('attack service', () => this.#attack.listAttacks({ context: this.#context }, options));
    return response.attacks;
  }

  /** Extracts inputs from one media file; one tensor an input, in the asked order. */
  async extract(
    media: Uint8Array,
    inputs: readonly victim.InputSpecification[],
    signal: AbortSignal,
  ): Promise<features.ExtractResponse> {
    const request = { context: this.#context, media: Buffer.from(media), inputs: [...inputs], window: undefined };
    return named('features service', () =>
      this.#features.extract(request, { signal, deadlineMs: EXTRACT_DEADLINE_MS }),
    );
  }

  /** Logits of a batch by the unchanged, pinned model, and taps that are asked for. */
  async predict(
    victim: VictimUnderTest,
    point: PredictionPoint,
    rows: number,
    signal: AbortSignal,
  ): Promise<FreshPrediction> {
    return named(`victim '${victim.name}': inference service`, async () => {
      const { sha256: modelSha256 } = victim.card;
      const request = inference.PredictRequest.fromPartial({ context: this.#context, modelSha256, ...point });
      const response = await this.#client(victim.name).predict(request, { signal, deadlineMs: PREDICT_DEADLINE_MS });
      if (response.modelSha256 !== victim.card.sha256) {
        throw new FaultlineError('failed_precondition', 'the model changed during the campaign');
      }
      const logits = float32Rows(response.logits, rows, 'logits');
      const wrong = logits.find((row) => row.length !== victim.card.labels.length || !row.every(Number.isFinite));
      if (wrong !== undefined) throw new FaultlineError('internal', 'logits are not finite numbers, one a label');
      const tapRows = new Map(
        response.taps.map(({ name, tensor }) => [name, float32Rows(tensor, rows, `tap '${name}'`)] as const),
      );
      return { logits, tapRows, cost: response.cost ?? NO_COST };
    });
  }

  /** Runs one attack; ends with an error when nothing is heard for a while. */
  async *attack(
    request: Omit<attack.AttackRequest, 'context'>,
    signal: AbortSignal,
  ): AsyncGenerator<attack.AttackResponse> {
    const silence = new AbortController();
    const onSilence = () =>
      silence.abort(new FaultlineError('deadline_exceeded', `nothing heard for ${ATTACK_SILENCE_MS / 1000} s`));
    let timer = setTimeout(onSilence, ATTACK_SILENCE_MS);
    try {
      const responses = this.#attack.attack(
        { ...request, context: this.#context },
        { signal: AbortSignal.any([signal, silence.signal]) },
      );
      for await (const response of responses) {
        clearTimeout(timer);
        yield response;
        timer = setTimeout(onSilence, ATTACK_SILENCE_MS);
      }
    } catch (thrown) {
      signal.throwIfAborted();
      throw await this.#explainAttackFailure(request.victim, request.threatModel?.name ?? '', thrown);
    } finally {
      clearTimeout(timer);
    }
  }

  /** A victim whose gradients and predictions are asked for by whoever looks at it closely; pinned to its model. */
  victim({ name, card: { sha256 } }: VictimUnderTest): Victim {
    const key = `${name} ${sha256}`;
    const known = this.#lookedAt.get(key) ?? new RemoteVictim(this.addressOf(name), { modelSha256: sha256 });
    this.#lookedAt.set(key, known);
    return known;
  }

  [Symbol.dispose](): void {
    for (const victim of this.#lookedAt.values()) void victim[Symbol.asyncDispose]();
    for (const client of [...this.#victims.targets, this.#features, this.#attack]) client.close();
  }

  #client(name: string): Client<typeof inference.InferenceServiceService> {
    return this.#victims.get(name);
  }

  #describe(name: string, deadlineMs: number, signal?: AbortSignal): Promise<inference.DescribeResponse> {
    const options = { deadlineMs, ...(signal === undefined ? {} : { signal }) };
    return this.#client(name).describe({ context: this.#context }, options);
  }

  /** An attack fails by itself or because its victim is gone; a user must know which process to look at. */
  async #explainAttackFailure(victim: string, threatModel: string, thrown: unknown): Promise<FaultlineError> {
    const error = FaultlineError.from(thrown);
    const gone = await this.#describe(victim, PROBE_DEADLINE_MS).then(
      () => '',
      () => `; the inference service of victim '${victim}' does not answer any more`,
    );
    const message = `victim '${victim}', threat model '${threatModel}': attack service: ${error.message}${gone}`;
    return new FaultlineError(error.code, message, { violations: error.violations, cause: error });
  }
}

/** Runs a call and puts the name of what was called before the message of its error. */
async function named<Result>(what: string, call: () => Promise<Result>): Promise<Result> {
  try {
    return await call();
  } catch (thrown) {
    const error = FaultlineError.from(thrown);
    if (error.code === 'cancelled') throw error;
    throw new FaultlineError(error.code, `${what}: ${error.message}`, { violations: error.violations, cause: error });
  }
}
