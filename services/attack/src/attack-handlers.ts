import {
  AttackNumericError,
  AttackRequestError,
  type AttackRun,
  catalogue,
  ModelMismatchError,
  normName,
  runAttack,
} from '@faultline/attack-algorithms';
import type { attack } from '@faultline/contracts';
import { type CallContext, FaultlineError, type Handlers } from '@faultline/service-kit';
import type { Victim } from '@faultline/victim';
import { context, trace } from '@opentelemetry/api';
import { describeAttack } from './catalogue-messages.ts';
import { attackRun, resultMessages } from './messages.ts';
import { recordFailure, startSpan, traced } from './spans.ts';
import type { Victims } from './victims.ts';

/** Least time between two messages of progress. */
const PROGRESS_INTERVAL_MS = 250;

/** AttackService on the victims of the configuration. */
export function attackHandlers(victims: Victims): Handlers<typeof attack.AttackServiceService> {
  return {
    listAttacks: () => Promise.resolve({ attacks: Array.from(catalogue.values(), describeAttack) }),
    attack: (request, call) => attackInSpan(victims, request, call),
  };
}

async function* attackInSpan(
  victims: Victims,
  request: attack.AttackRequest,
  { signal, span: parent }: CallContext,
): AsyncGenerator<attack.AttackResponse> {
  const caller = trace.setSpan(context.active(), parent);
  const span = startSpan('attack.run', attributesOf(request), caller);
  try {
    const run = attackRun(request);
    yield* steer(traced(victims.get(request.victim), trace.setSpan(caller, span)), run, signal);
  } catch (thrown) {
    const error = faultlineError(thrown);
    recordFailure(span, error);
    throw error;
  } finally {
    span.end();
  }
}

async function* steer(victim: Victim, run: AttackRun, signal: AbortSignal): AsyncGenerator<attack.AttackResponse> {
  let lastProgress = Number.NEGATIVE_INFINITY;
  for await (const event of runAttack(victim, run, { signal })) {
    switch (event.kind) {
      case 'progress': {
        if (performance.now() - lastProgress < PROGRESS_INTERVAL_MS) break;
        lastProgress = performance.now();
        const { stepsDone, stepsPlanned } = event;
        yield { kind: { $case: 'progress', value: { stepsDone, stepsPlanned } } };
        break;
      }
      case 'result':
        yield* resultMessages(event.result);
        break;
      case 'cost':
        yield { kind: { $case: 'cost', value: { ...event.cost } } };
        break;
    }
  }
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
  victim,
  threatModel,
  clipSha256,
}: attack.AttackRequest): Record<string, string | number | string[]> {
  return {
    'faultline.victim': victim,
    'faultline.attack': threatModel?.attack ?? '',
    'faultline.norm': (threatModel && normName(threatModel.norm)) ?? '',
    'faultline.variables': threatModel?.variables.map(({ variable }) => variable) ?? [],
    'faultline.rungs': threatModel?.rungs.length ?? 0,
    'faultline.clips': clipSha256.length,
  };
}
