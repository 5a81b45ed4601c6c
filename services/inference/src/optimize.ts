import { encodeTensor, type inference, rowChunks } from '@faultline/contracts';
import { type CallContext, FaultlineError } from '@faultline/service-kit';
import type { Compute } from './compute.ts';
import { costMessage, namedTensor, parametersOf } from './messages.ts';
import { requireGradient } from './require-gradient.ts';
import type { Slots } from './slots.ts';
import { Upload } from './upload.ts';

/** A stream that sends nothing for this long is ended, for it holds a slot. */
const IDLE_TIMEOUT_MS = 30_000;

/** Steps of one message; the loop itself stops after about a second of work. */
const MAX_STEPS = 64;

/** Told to clients: the largest message they may send or will get. */
const MAX_CHUNK_BYTES = 4 * 1024 * 1024;

type Request = NonNullable<inference.OptimizeRequest['kind']>;

/** The next request, or undefined at the end of the stream. @throws FaultlineError when none comes in time. */
async function nextRequest(requests: AsyncIterator<inference.OptimizeRequest>): Promise<Request | undefined> {
  const idle = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      idle.reject(
        new FaultlineError(
          'deadline_exceeded',
          `the stream was idle for ${IDLE_TIMEOUT_MS / 1000} s; its slot was given back`,
        ),
      ),
    IDLE_TIMEOUT_MS,
  );
  try {
    const next = await Promise.race([requests.next(), idle.promise]);
    if (next.done === true) return undefined;
    if (next.value.kind === undefined)
      throw FaultlineError.invalid('kind', 'is not set; send open, upload, step, keep, restart or fetch');
    return next.value.kind;
  } finally {
    clearTimeout(timer);
  }
}

/** One attack loop: open, upload, then commands until the client ends the stream. */
export async function* optimize(
  compute: Compute,
  slots: Slots,
  requests: AsyncIterable<inference.OptimizeRequest>,
  context: CallContext,
): AsyncGenerator<inference.OptimizeResponse> {
  const iterator = requests[Symbol.asyncIterator]();
  const first = await nextRequest(iterator);
  if (first?.$case !== 'open')
    throw FaultlineError.invalid(
      'kind',
      `the first message must be open, not ${first?.$case ?? 'the end of the stream'}`,
    );
  const upload = new Upload(first.value, compute.description);
  requireGradient(compute.description, first.value.variables);
  using _slot = slots.take();
  const { span } = context;
  span.setAttributes({
    'faultline.examples': first.value.exampleClips.length,
    'faultline.clips': first.value.clips,
    'faultline.variables': first.value.variables,
  });
  yield { kind: { $case: 'opened', value: { maxMessageBytes: MAX_CHUNK_BYTES } } };

  let command = await nextRequest(iterator);
  while (command?.$case === 'upload') {
    upload.add(command.value);
    command = await nextRequest(iterator);
  }
  if (command === undefined) return;

  const loop = compute.nextLoop();
  const total = { steps: 0, forwardExamples: 0, gradientExamples: 0 };
  try {
    let examples = await compute.run({ kind: 'prepare', loop, plan: upload.plan() }, context.signal);
    span.addEvent('faultline.prepared');
    for (; command !== undefined; command = await nextRequest(iterator)) {
      switch (command.$case) {
        case 'step': {
          const { steps, finish } = command.value;
          if (steps > MAX_STEPS || (steps < 1 && !finish))
            throw FaultlineError.invalid('step.steps', `is ${steps}; give 1 to ${MAX_STEPS}`);
          const parameters = parametersOf(command.value.parameters, 'step.parameters');
          const result = await compute.run(
            { kind: 'step', loop, options: { steps, parameters, finish } },
            context.signal,
          );
          total.steps += result.stepsDone;
          total.forwardExamples += result.cost.forwardExamples;
          total.gradientExamples += result.cost.gradientExamples;
          const rows = result.stepsDone + (result.finished ? 1 : 0);
          const outcomes = Array.from(result.outcomes, ([name, data]) =>
            namedTensor(name, { dims: [rows, examples], data }),
          );
          yield {
            kind: {
              $case: 'step',
              value: {
                stepsDone: result.stepsDone,
                finished: result.finished,
                outcomes,
                cost: costMessage(result.cost),
              },
            },
          };
          break;
        }
        case 'keep':
          examples = await compute.run({ kind: 'keep', loop, examples: command.value.examples }, context.signal);
          yield { kind: { $case: 'done', value: { examples } } };
          break;
        case 'restart': {
          const parameters = parametersOf(command.value.parameters, 'restart.parameters');
          examples = await compute.run({ kind: 'restart', loop, parameters }, context.signal);
          yield { kind: { $case: 'done', value: { examples } } };
          break;
        }
        case 'fetch': {
          const wanted = command.value.examples.length === 0 ? undefined : command.value.examples;
          const tensors = await compute.run(
            { kind: 'fetch', loop, slots: command.value.slots, examples: wanted },
            context.signal,
          );
          for (const [slot, tensor] of tensors) {
            for (const { rows, last } of rowChunks(tensor, MAX_CHUNK_BYTES)) {
              yield { kind: { $case: 'fetch', value: { slot, rows: encodeTensor(rows), last } } };
            }
          }
          break;
        }
        default:
          throw FaultlineError.invalid('kind', `is ${command.$case}, which may only come before the first command`);
      }
    }
  } finally {
    span.setAttributes({
      'faultline.steps': total.steps,
      'faultline.forward_examples': total.forwardExamples,
      'faultline.gradient_examples': total.gradientExamples,
    });
    // Not cancelled with the call: the batch must go whatever happened.
    if (compute.alive) await compute.run({ kind: 'close', loop });
  }
}
