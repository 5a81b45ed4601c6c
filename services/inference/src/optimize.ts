import type { inference } from '@faultline/contracts';
import { type CallContext, FaultlineError } from '@faultline/service-kit';
import type { LoopFootprint } from '@faultline/victim';
import type { Admission } from './admission.ts';
import type { Compute } from './compute.ts';
import { type Command, Inbox } from './inbox.ts';
import { LoopSession, MAX_CHUNK_BYTES } from './loop-session.ts';
import {
  type AwaitedSlot,
  awaitedBatch,
  type BatchShape,
  type Opening,
  readOpening,
  readRebatch,
  uploadedBytes,
} from './opening.ts';
import { requireGradient } from './require-gradient.ts';
import { Upload } from './upload.ts';

/** The slowest upload that is waited for, in bytes a millisecond: 1 MiB a second. */
const SLOWEST_UPLOAD = 2 ** 20 / 1_000;

/** What the calls of this service share. */
export interface Serving {
  readonly compute: Compute;
  readonly admission: Admission;
  /** A stream that sends, or takes, nothing for this long is ended. */
  readonly idleTimeoutMs: number;
}

/** One attack loop: open, upload, then commands until the client ends the stream. */
export async function* optimize(
  { compute, admission, idleTimeoutMs }: Serving,
  requests: AsyncIterable<inference.OptimizeRequest>,
  { signal, span }: CallContext,
): AsyncGenerator<inference.OptimizeResponse> {
  const { description } = compute;
  const inbox = new Inbox(requests, idleTimeoutMs);
  const opening = readOpening(await openOf(inbox), description);
  const { shape } = opening;
  span.setAttributes({
    'faultline.examples': shape.examples,
    'faultline.clips': shape.clips,
    'faultline.samples': shape.samples?.count ?? 1,
    'faultline.mode': shape.mode ?? 'differentiate',
    'faultline.variables': shape.variables.map(({ name }) => name),
  });

  if (shape.mode !== 'evaluate')
    requireGradient(
      description,
      shape.variables.map(({ name }) => name),
    );
  using held = new DisposableStack();
  held.use(admission.takeSlot());
  const footprint = await compute.run({ kind: 'estimate', shape }, signal);
  const needed = withUploads(footprint, opening, opening.batch, compute);
  const memory = held.use(admission.takeBytes(needed));
  const grantedBytes = needed.residentBytes + needed.workingBytes;
  span.setAttribute('faultline.loop_bytes', grantedBytes);

  const session = new LoopSession(compute, signal);
  /** Sends an answer; a client that does not take it for too long loses its loop. */
  async function* sent(response: inference.OptimizeResponse): AsyncGenerator<inference.OptimizeResponse> {
    let stalled = false;
    const timer = setTimeout(() => {
      stalled = true;
      void session.end().then(() => held.dispose());
    }, idleTimeoutMs);
    try {
      yield response;
    } finally {
      clearTimeout(timer);
    }
    if (stalled)
      throw new FaultlineError('deadline_exceeded', 'the client took no answer for too long; its slot was given back');
  }

  try {
    yield* sent({ kind: { $case: 'opened', value: { maxMessageBytes: MAX_CHUNK_BYTES, grantedBytes } } });
    const awaited = new Map([...opening.constants, ...awaitedBatch(opening.batch, opening.data, description)]);
    const upload = await receive(inbox, awaited, idleTimeoutMs);
    if (upload === undefined) return;
    await session.prepare(opening, upload);
    span.addEvent('faultline.prepared');
    for (let command = await inbox.next(); command !== undefined; command = await inbox.next()) {
      switch (command.$case) {
        case 'open':
          throw FaultlineError.invalid('kind', 'is open, which may only come once');
        case 'upload':
          throw FaultlineError.invalid('kind', 'is upload, but the batch is complete');
        case 'rebatch': {
          const batch = readRebatch(command.value, opening, description);
          if (batch.clips > shape.clips || batch.exampleClips.length > shape.examples) {
            const larger = { ...shape, clips: batch.clips, examples: batch.exampleClips.length };
            const estimate = await compute.run({ kind: 'estimate', shape: larger }, signal);
            memory.growTo(withUploads(estimate, opening, batch, compute));
          }
          const next = await receive(inbox, awaitedBatch(batch, opening.data, description), idleTimeoutMs);
          if (next === undefined) return;
          yield* sent(await session.rebatch(batch, next));
          break;
        }
        default:
          for await (const response of session.answer(command)) yield* sent(response);
      }
    }
  } finally {
    const { steps, forwardExamples, gradientExamples } = session.total;
    span.setAttributes({
      'faultline.steps': steps,
      'faultline.forward_examples': forwardExamples,
      'faultline.gradient_examples': gradientExamples,
    });
    // Not cancelled with the call: the batch must go whatever happened.
    await session.end();
  }
}

async function openOf(inbox: Inbox): Promise<inference.OpenRequest> {
  const first = await inbox.next();
  if (first?.$case === 'open') return first.value;
  throw FaultlineError.invalid(
    'kind',
    `the first message must be open, not ${first?.$case ?? 'the end of the stream'}`,
  );
}

/** Takes the pieces of what is awaited; undefined when the client ends the stream instead. */
async function receive(
  inbox: Inbox,
  awaited: ReadonlyMap<string, AwaitedSlot>,
  idleTimeoutMs: number,
): Promise<Upload | undefined> {
  const upload = new Upload(awaited);
  const until = performance.now() + idleTimeoutMs + uploadedBytes(awaited) / SLOWEST_UPLOAD;
  while (upload.missing.length > 0) {
    const command: Command | undefined = await inbox.next(until);
    if (command === undefined) return undefined;
    if (command.$case !== 'upload')
      throw FaultlineError.invalid(
        `upload[${upload.missing[0]}]`,
        `is not complete; upload all of it before ${command.$case}`,
      );
    upload.add(command.value);
  }
  return upload;
}

/** What a loop holds: the estimate, and the tensors as they came, which are there beside those that are computed with. */
function withUploads(
  footprint: LoopFootprint,
  { constants, data }: Opening,
  batch: BatchShape,
  { description }: Compute,
): LoopFootprint {
  const uploads = uploadedBytes(constants) + uploadedBytes(awaitedBatch(batch, data, description));
  return { residentBytes: footprint.residentBytes + uploads, workingBytes: footprint.workingBytes };
}
