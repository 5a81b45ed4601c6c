import { createHash } from 'node:crypto';
import type { ArtefactStore } from '@faultline/artefacts';
import {
  type AttackKnowledge,
  AttackNumericError,
  AttackRequestError,
  catalogue,
  ModelMismatchError,
  runAttack,
  transferAttack,
} from '@faultline/attack-algorithms';
import { attack } from '@faultline/contracts';
import { type CallContext, FaultlineError, type Handlers } from '@faultline/service-kit';
import { normName } from '@faultline/victim';
import { type Context, context, type Span, trace } from '@opentelemetry/api';
import { describeAttack } from './catalogue-messages.ts';
import { evidenceMessage } from './evidence-message.ts';
import { attackRun } from './messages.ts';
import type { RepeatedRuns, RunIdentity } from './repeated-runs.ts';
import { rerunLost } from './rerun.ts';
import { type Candidates, rawResults, referencedResults } from './result-messages.ts';
import { recordFailure, startSpan, traced } from './spans.ts';
import { universalMessage } from './universal-message.ts';
import type { Victims } from './victims.ts';

/** Least time between two messages of progress. */
const PROGRESS_INTERVAL_MS = 250;

/** What an attack works with. */
export interface AttackSurroundings {
  readonly victims: Victims;
  /** Where tensors by reference are; undefined: raw tensors only. */
  readonly store: ArtefactStore | undefined;
  /** Longest wait for a slot of a victim. */
  readonly slotWaitMs: number;
  /** Runs that have an idempotency key. */
  readonly repeated: RepeatedRuns<attack.AttackResponse>;
}

/** AttackService on the victims of the configuration. */
export function attackHandlers(around: AttackSurroundings): Handlers<typeof attack.AttackServiceService> {
  return {
    listAttacks: () => Promise.resolve({ attacks: Array.from(catalogue.values(), describeAttack) }),
    attack: (request, call) => {
      const identity = identityOf(request);
      if (identity === undefined) return attackInSpan(around, request, call);
      // A joined run has its own signal: it ends when the last of its callers has left.
      const start = (signal: AbortSignal) => attackInSpan(around, request, { ...call, signal });
      return around.repeated.follow(identity, start, call.signal);
    },
  };
}

/** What the attack of a request knows of its victim; one that is not in the catalogue is refused later, with everything else. */
const knowledgeOf = ({ threatModel }: attack.AttackRequest): AttackKnowledge =>
  catalogue.get(threatModel?.attack ?? '')?.knowledge ?? 'gradients';

/** What recognises a repeated request; undefined without an idempotency key. */
function identityOf(request: attack.AttackRequest): RunIdentity | undefined {
  const { caller = '', idempotencyKey = '' } = request.context ?? {};
  if (idempotencyKey === '') return undefined;
  const bytes = attack.AttackRequest.encode({ ...request, context: undefined }).finish();
  const requestDigest = createHash('sha256').update(bytes).digest('hex');
  return { key: JSON.stringify([caller, idempotencyKey]), requestDigest };
}

async function* attackInSpan(
  around: AttackSurroundings,
  request: attack.AttackRequest,
  call: CallContext,
): AsyncGenerator<attack.AttackResponse> {
  const parent = trace.setSpan(context.active(), call.span);
  const span = startSpan('attack.run', attributesOf(request), parent);
  try {
    yield* steer(around, request, call, span, trace.setSpan(parent, span));
  } catch (thrown) {
    const error = faultlineError(thrown);
    recordFailure(span, error);
    throw error;
  } finally {
    span.end();
  }
}

async function* steer(
  { victims, store, slotWaitMs }: AttackSurroundings,
  request: attack.AttackRequest,
  { signal, deadline }: CallContext,
  span: Span,
  active: Context,
): AsyncGenerator<attack.AttackResponse> {
  const seen = (name: string, knowledge: AttackKnowledge) =>
    traced(victims.get(name, knowledge), active, { slotWaitMs, deadline });
  const target = seen(request.victim, knowledgeOf(request));
  const { surrogate = '' } = request.threatModel ?? {};
  const deliver = delivery(request.delivery, store);
  const run = await attackRun(request, store);
  let lastProgress = Number.NEGATIVE_INFINITY;
  const options = { signal, rerun: rerunLost(span, signal) };
  const events =
    surrogate === ''
      ? runAttack(target, run, options)
      : transferAttack({ surrogate: seen(surrogate, 'gradients'), target }, run, options);
  for await (const event of events) {
    switch (event.kind) {
      case 'progress': {
        if (performance.now() - lastProgress < PROGRESS_INTERVAL_MS) break;
        lastProgress = performance.now();
        const { stepsDone, stepsPlanned } = event;
        yield { kind: { $case: 'progress', value: { stepsDone, stepsPlanned } } };
        break;
      }
      case 'result':
      case 'search':
        yield* deliver(event.result);
        break;
      case 'universal':
        yield await universalMessage(event.result, request.delivery, store);
        break;
      case 'evidence':
        yield evidenceMessage(event.examples);
        break;
      case 'cost':
        yield { kind: { $case: 'cost', value: { ...event.cost } } };
        break;
    }
  }
}

type Deliver = (results: Candidates) => Iterable<attack.AttackResponse> | AsyncIterable<attack.AttackResponse>;

/** How results become messages. */
function delivery(wanted: attack.TensorDelivery, store: ArtefactStore | undefined): Deliver {
  const { TENSOR_DELIVERY_UNSPECIFIED, TENSOR_DELIVERY_RAW, TENSOR_DELIVERY_REFERENCE } = attack.TensorDelivery;
  if (wanted === TENSOR_DELIVERY_UNSPECIFIED || wanted === TENSOR_DELIVERY_RAW) return rawResults;
  if (wanted !== TENSOR_DELIVERY_REFERENCE) {
    throw FaultlineError.invalid('delivery', `is ${wanted}; use TENSOR_DELIVERY_RAW or TENSOR_DELIVERY_REFERENCE`);
  }
  if (store === undefined) {
    const remedy = 'set FAULTLINE_ARTEFACT_DIR, or ask for TENSOR_DELIVERY_RAW';
    throw new FaultlineError('failed_precondition', `delivery: this service has no artefact store; ${remedy}`);
  }
  return (results) => referencedResults(results, store);
}

/** What the algorithms throw, in the words of the services. */
function faultlineError(thrown: unknown): FaultlineError {
  if (thrown instanceof AttackRequestError) {
    return new FaultlineError('invalid_argument', thrown.message, { violations: thrown.violations, cause: thrown });
  }
  if (thrown instanceof ModelMismatchError || thrown instanceof AttackNumericError) {
    return new FaultlineError('failed_precondition', thrown.message, { cause: thrown });
  }
  return FaultlineError.from(thrown);
}

function attributesOf({
  context: requester,
  victim,
  threatModel,
  clipSha256,
}: attack.AttackRequest): Record<string, string | number | string[]> {
  return {
    'faultline.caller': requester?.caller ?? '',
    'faultline.victim': victim,
    'faultline.attack': threatModel?.attack ?? '',
    'faultline.norm': (threatModel && normName(threatModel.norm)) ?? '',
    'faultline.variables': threatModel?.variables.map(({ variable }) => variable) ?? [],
    'faultline.rungs': threatModel?.rungs.length ?? 0,
    'faultline.clips': clipSha256.length,
  };
}
