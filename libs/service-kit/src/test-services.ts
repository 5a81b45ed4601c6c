import { attack, common, inference } from '@faultline/contracts';
import { type RunningServer, register, type StartServerOptions, startServer } from './server.ts';
import type { Handlers } from './service-definition.ts';

// What the tests of this library serve: two real service definitions with handlers that a test fills in.

/** A failing test must not wait for the streams that it left open. */
const LOCAL = { host: '127.0.0.1', port: 0, drainTimeoutMs: 200 };

type InferenceHandlers = Handlers<typeof inference.InferenceServiceService>;
type AttackHandlers = Handlers<typeof attack.AttackServiceService>;

/** An inference service on 127.0.0.1 that echoes, except for the methods given. */
export function startInference(
  handlers: Partial<InferenceHandlers> = {},
  options: Partial<StartServerOptions> = {},
): Promise<RunningServer> {
  const service = register(inference.InferenceServiceService, {
    describe: async () => inference.DescribeResponse.fromPartial({ runtime: 'test' }),
    predict: async ({ inputs, modelSha256 }) => ({ logits: inputs[0]?.tensor, modelSha256, cost: undefined, taps: [] }),
    differentiate: async () => inference.DifferentiateResponse.fromPartial({}),
    optimize: async function* (requests) {
      for await (const { kind } of requests) yield opened(kind?.$case === 'step' ? kind.value.steps : 0);
    },
    ...handlers,
  });
  return startServer({ name: 'inference', services: [service], ...LOCAL, ...options });
}

/** An attack service on 127.0.0.1 with nothing to list and nothing to attack, except for the methods given. */
export function startAttack(handlers: Partial<AttackHandlers> = {}): Promise<RunningServer> {
  const service = register(attack.AttackServiceService, {
    listAttacks: async () => ({ attacks: [] }),
    attack: async function* () {},
    ...handlers,
  });
  return startServer({ name: 'attack', services: [service], ...LOCAL });
}

/** A response that carries one number. */
export function opened(value: number): inference.OptimizeResponse {
  return { kind: { $case: 'opened', value: { maxMessageBytes: value, grantedBytes: 0 } } };
}

export function openedValue({ kind }: inference.OptimizeResponse): number | undefined {
  return kind?.$case === 'opened' ? kind.value.maxMessageBytes : undefined;
}

/** A request that carries one number. */
export function step(steps: number): inference.OptimizeRequest {
  return { kind: { $case: 'step', value: { steps, parameters: [], finish: false } } };
}

export function predictRequest(raw: Buffer = Buffer.alloc(0), modelSha256 = ''): inference.PredictRequest {
  const tensor: common.Tensor = {
    dataType: common.DataType.DATA_TYPE_UINT8,
    dims: [raw.length],
    value: { $case: 'raw', value: raw },
  };
  return { context: undefined, modelSha256, inputs: [{ name: 'waveform', tensor }], taps: [], tapValues: [] };
}

export const attackRequest = attack.AttackRequest.fromPartial({ victim: 'late' });

/** What a promise is rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (error) {
    return error;
  }
  throw new Error('expected a rejection');
}

/** Everything that an iterable yields, and what it threw in the end. */
export async function drain<T>(items: AsyncIterable<T>): Promise<{ readonly items: T[]; readonly error: unknown }> {
  const seen: T[] = [];
  try {
    for await (const item of items) seen.push(item);
  } catch (error) {
    return { items: seen, error };
  }
  return { items: seen, error: undefined };
}
