import { type ArtefactStore, storeTensor } from '@faultline/artefacts';
import { decodeTensor, score } from '@faultline/contracts';
import type { CallContext } from '@faultline/service-kit';
import { identityOf } from '../identity.ts';
import type { InputCache } from '../inputs/input-cache.ts';
import type { Services } from '../peers/services.ts';
import { askedVictims } from '../planning/victim-choice.ts';
import { MessageQueue } from './message-queue.ts';
import { planScore, type ScorePlan } from './plan-score.ts';
import { runScore } from './run-score.ts';
import type { ScoreMemory } from './score-memory.ts';
import { TimeBudget } from './time-budget.ts';

/** What Score calls work with. */
export interface ScoreSetting {
  readonly services: Services;
  readonly cache: InputCache;
  readonly artefacts: Promise<ArtefactStore>;
  readonly clipsDir: string;
  readonly memory: ScoreMemory;
}

const { ADVERSARIAL_RETURN_REFERENCES } = score.AdversarialReturn;

const PROGRESS_INTERVAL_MS = 1000;
/** Scores with their tensors that a slow client may leave unread before the work waits for it. */
const MOST_UNREAD = 4;

/** What is left to say when the time was up before it was known what to do. */
function* unplanned(request: score.ScoreRequest, known: readonly string[]): Generator<score.ScoreResponse> {
  const reason = 'the time was up before the victims had said what they are';
  let planned = 0;
  for (const [index, { name }] of request.clips.entries()) {
    for (const { name: threatModel } of request.threatModels) {
      for (const victim of askedVictims(request.victims, known)) {
        const state = score.ScoreState.SCORE_STATE_NOT_STARTED;
        const clip = name || `clips[${index}]`;
        const value = score.ClipScore.fromPartial({ victim, threatModel, clip, state, reason });
        yield { kind: { $case: 'score', value } };
        planned += 1;
      }
    }
  }
  const shortfall = `${reason}: allow more time`;
  yield { kind: { $case: 'summary', value: score.ScoreSummary.fromPartial({ planned, shortfall }) } };
}

/** The same score with its tensors in the store. */
async function byReference(artefacts: ArtefactStore, value: score.ClipScore): Promise<score.ClipScore> {
  const adversarial = [];
  for (const { name, tensor } of value.adversarial) {
    if (tensor === undefined) continue;
    adversarial.push({ name, tensor: await storeTensor(artefacts, decodeTensor(tensor)) });
  }
  return { ...value, adversarial };
}

/** The same score of a universal perturbation with its tensors in the store. */
async function universalByReference(
  artefacts: ArtefactStore,
  value: score.UniversalScore,
): Promise<score.UniversalScore> {
  const rungs = [];
  for (const rung of value.rungs) {
    const variables = [];
    for (const variable of rung.variables) {
      const { perturbation } = variable;
      const stored = perturbation && (await storeTensor(artefacts, decodeTensor(perturbation)));
      variables.push({ ...variable, perturbation: stored });
    }
    rungs.push({ ...rung, variables });
  }
  return { ...value, rungs };
}

/** The messages of one Score call. Leaving the iteration stops the work. */
async function* work(
  request: score.ScoreRequest,
  { services, cache, artefacts: opening, clipsDir }: ScoreSetting,
  call: CallContext,
): AsyncGenerator<score.ScoreResponse> {
  const left = new AbortController();
  using budget = new TimeBudget(call.deadline, AbortSignal.any([call.signal, left.signal]));
  let plan: ScorePlan;
  try {
    plan = await planScore(request, services, clipsDir, budget.signal);
  } catch (thrown) {
    if (!budget.isOver) throw thrown;
    yield* unplanned(request, services.victimNames);
    return;
  }
  const artefacts = await opening;
  const refers = plan.adversarial === ADVERSARIAL_RETURN_REFERENCES;
  const queue = new MessageQueue<score.ScoreResponse>(MOST_UNREAD);
  let saidAt = performance.now();
  const working = runScore(plan, {
    services,
    cache,
    budget,
    onScore: async (value) => {
      const delivered = refers ? await byReference(artefacts, value) : value;
      await queue.push({ kind: { $case: 'score', value: delivered } });
    },
    onUniversal: async (value) => {
      const delivered = refers ? await universalByReference(artefacts, value) : value;
      await queue.push({ kind: { $case: 'universal', value: delivered } });
    },
    onProgress: (value) => {
      if (performance.now() - saidAt < PROGRESS_INTERVAL_MS) return;
      saidAt = performance.now();
      queue.offer({ kind: { $case: 'progress', value } });
    },
  }).then(
    async (value) => {
      await queue.push({ kind: { $case: 'summary', value } });
      queue.end();
    },
    (error: unknown) => queue.fail(error),
  );
  try {
    yield* queue;
  } finally {
    left.abort();
    await working;
  }
}

/** Serves Score: a repeated idempotency key gives the first call's messages. */
export async function* handleScore(
  request: score.ScoreRequest,
  setting: ScoreSetting,
  call: CallContext,
): AsyncGenerator<score.ScoreResponse> {
  const { caller, idempotencyKey } = identityOf(request.context);
  call.span.setAttribute('faultline.caller', caller);
  if (idempotencyKey === '') {
    yield* work(request, setting, call);
    return;
  }
  let claim = setting.memory.claim(idempotencyKey, request);
  while ('earlier' in claim) {
    const messages = await unlessAborted(claim.earlier, call.signal);
    if (messages !== undefined) {
      yield* messages;
      return;
    }
    claim = setting.memory.claim(idempotencyKey, request);
  }
  const { recorded } = claim;
  const messages: score.ScoreResponse[] = [];
  let isWhole = false;
  try {
    for await (const message of work(request, setting, call)) {
      if (message.kind?.$case !== 'progress') messages.push(message);
      isWhole ||= message.kind?.$case === 'summary';
      yield message;
    }
  } finally {
    if (isWhole) recorded.finish(messages);
    else recorded.fail();
  }
}

/** The result, or the reason of the signal when that aborts first. */
async function unlessAborted<Result>(result: Promise<Result>, signal: AbortSignal): Promise<Result> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([result, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
