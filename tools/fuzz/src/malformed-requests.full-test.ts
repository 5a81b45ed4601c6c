import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type DescMethod, toBinary } from '@bufbuild/protobuf';
import { Stack } from '@faultline/cli';
import { ChannelCredentials, Client } from '@grpc/grpc-js';
import { contractMethods, pathOf } from './contract-methods.ts';
import { oddMessage, spoil } from './odd-messages.ts';
import { Random } from './random.ts';
import { type Ending, rawCall } from './raw-call.ts';
import { soundRequests } from './sound-requests.ts';

/** Requests in all, over every method of every service. */
const REQUESTS = 2_000;
const SEED = 20_261_123;
/** Requests under way at once: services are used by several clients. */
const CONCURRENT = 8;

/**
 * So many of the first requests are sent once more at the end. By then every cache has filled and every heap has been as large as
 * these requests make it, so what still grows is lost.
 */
const REPLAYED = 400;
/** Growth of one process during the replay that is still heap noise. */
const ALLOWED_GROWTH_MIB = 64;

/** Far below what the services keep by default. */
const SESSION_BYTES = 16 * 2 ** 20;

/** A request may be sound after all, wait for a slot, or start work that outlives the deadline. */
const ALLOWED = [
  'OK',
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'FAILED_PRECONDITION',
  'RESOURCE_EXHAUSTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'CANCELLED',
  'DEADLINE_EXCEEDED',
];

interface Target {
  readonly name: string;
  readonly pid: number;
  readonly client: Client;
  readonly methods: readonly DescMethod[];
}

interface Request {
  readonly target: Target;
  readonly method: DescMethod;
  readonly kind: string;
  readonly messages: readonly Uint8Array[];
}

interface Sent extends Ending {
  readonly target: string;
  readonly method: string;
  readonly kind: string;
}

/** Resident memory of a process, in MiB. */
async function residentMib(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** What one request sends: bytes that are no message, messages made from nothing, or sound ones with one field spoilt. */
function messagesFor(method: DescMethod, sound: ReadonlyMap<string, readonly Uint8Array[]>, random: Random) {
  const path = pathOf(method);
  const dice = random.next();
  if (dice < 0.1) {
    const garbage = Uint8Array.from({ length: random.below(200) }, () => random.below(256));
    return { kind: 'garbage', messages: [garbage] };
  }
  const templates = sound.get(path);
  if (dice < 0.4 || templates === undefined) {
    const count = method.methodKind.includes('bidi') || method.methodKind.includes('client') ? 1 + random.below(3) : 1;
    const messages = Array.from({ length: count }, () => toBinary(method.input, oddMessage(method.input, random)));
    return { kind: 'odd', messages };
  }
  return { kind: 'spoilt', messages: spoilOne(method, templates, random) };
}

function spoilOne(method: DescMethod, templates: readonly Uint8Array[], random: Random): Uint8Array[] {
  const spoilt = random.below(templates.length);
  return templates.map((template, index) => (index === spoilt ? spoil(method.input, template, random) : template));
}

test(`${REQUESTS} malformed requests over all methods: no fault of the services, no crash, memory flat`, async (t) => {
  const runsDir = await mkdtemp(join(tmpdir(), 'faultline-fuzz-'));
  t.after(() => rm(runsDir, { recursive: true, force: true }));
  // Spoilt programs are programs too, and stay compiled for the next loop up to this many bytes: a cache that fills is no leak.
  const inferenceEnv = { FAULTLINE_SESSION_BYTES: String(SESSION_BYTES) };
  await using stack = await Stack.start({ runsDir, inferenceEnv });
  const methods = contractMethods();
  const targets = await Promise.all(
    stack.processes.map(async ({ name, pid, ready }): Promise<Target> => {
      const [service = ''] = name.split(' ');
      const own = [...methods].filter(([type]) => type.startsWith(`faultline.${service}.`) || type.startsWith('grpc.'));
      const client = new Client(await ready, ChannelCredentials.createInsecure());
      return { name, pid: pid ?? 0, client, methods: own.flatMap(([, list]) => list) };
    }),
  );
  t.after(() => {
    for (const { client } of targets) client.close();
  });
  const [[victim, inference] = ['', '']] = stack.victims;
  const sound = await soundRequests({ inference, victim });
  const random = new Random(SEED);
  const send = async ({ target, method, kind, messages }: Request): Promise<Sent> => {
    const ending = await rawCall(target.client, pathOf(method), messages);
    return { ...ending, target: target.name, method: pathOf(method), kind };
  };
  const sent: Sent[] = [];
  const replayed: Request[][] = [];
  for (let done = 0; done < REQUESTS; done += CONCURRENT) {
    const round = Array.from({ length: CONCURRENT }, (): Request => {
      const target = random.pick(targets);
      const method = random.pick(target.methods);
      return { target, method, ...messagesFor(method, sound, random) };
    });
    if (done < REPLAYED) replayed.push(round);
    sent.push(...(await Promise.all(round.map(send))));
  }
  const settled = await Promise.all(targets.map(({ pid }) => residentMib(pid)));
  for (const round of replayed) sent.push(...(await Promise.all(round.map(send))));
  assert.deepEqual(
    sent.filter(({ status }) => !ALLOWED.includes(status)),
    [],
  );
  assert.equal(stack.died.aborted, false, 'a service ended');
  assert.deepEqual(new Set(sent.map(({ method }) => method)), new Set(targets.flatMap((x) => x.methods.map(pathOf))));
  const answers = Object.entries(Object.groupBy(sent, ({ status }) => status));
  t.diagnostic(`answers: ${answers.map(([status, list]) => `${status} ${list?.length}`).join(', ')}`);
  const refused = sent.filter(({ status }) => status === 'INVALID_ARGUMENT').length;
  assert.ok(refused > REQUESTS / 4, `only ${refused} requests were refused as invalid: the fuzzer has lost its aim`);
  const grown = await Promise.all(
    targets.map(async ({ name, pid }, index) => ({ name, mib: (await residentMib(pid)) - (settled[index] ?? 0) })),
  );
  t.diagnostic(
    `growth over ${REPLAYED} requests sent again, MiB: ${grown.map(({ name, mib }) => `${name} ${mib.toFixed(0)}`)}`,
  );
  assert.deepEqual(
    grown.filter(({ mib }) => mib > ALLOWED_GROWTH_MIB),
    [],
  );
});
