import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { FolderStore, loadTensor } from '@faultline/artefacts';
import { attack } from '@faultline/contracts';
import {
  type Client,
  connect,
  FaultlineError,
  type RunningServer,
  startTelemetry,
  type Telemetry,
} from '@faultline/service-kit';
import { ServiceProcess } from '@faultline/service-kit/testing';
import { startAttack } from './start-attack.ts';
import { read, request, writeVictim } from './testing/linear-attack.ts';
import { readSpans } from './testing/span-records.ts';

const { STOPPING_NEVER } = attack.Stopping;
const { TENSOR_DELIVERY_REFERENCE } = attack.TensorDelivery;

/** Long enough to be met in the middle, short enough to wait for. */
const LONG: Partial<attack.ThreatModel> = { rungs: [{ scale: 0.2, stopping: STOPPING_NEVER }], steps: 800 };

/** A day's work: it ends when its caller leaves. */
const ENDLESS: Partial<attack.ThreatModel> = { steps: 10_000, restarts: 1_000 };

/** Freeing a slot takes a message's worth of work, here some milliseconds; a busy machine may take its time. */
const SLOT_FREE_MS = 10_000;

type AttackClient = Client<typeof attack.AttackServiceService>;
const client = (server: RunningServer): AttackClient => connect(attack.AttackServiceService, server.address);

describe('the attack service beside two replicas of one slot each', () => {
  let folder: string;
  let store: FolderStore;
  let telemetry: Telemetry;
  let replicas: [ServiceProcess, ServiceProcess];
  let server: RunningServer;
  let impatient: RunningServer;
  let calls: AttackClient;
  let impatientCalls: AttackClient;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attack-'));
    telemetry = await startTelemetry('attack', { traceDir: join(folder, 'traces') });
    await writeVictim(folder);
    const environment = { FAULTLINE_VICTIM_DIR: folder, FAULTLINE_THREADS: '1', FAULTLINE_OPTIMIZE_SLOTS: '1' };
    const start = () => ServiceProcess.start('inference', environment);
    replicas = await Promise.all([start(), start()]);
    const [one, other] = replicas.map(({ address }) => address);
    const victims = { pair: `ipv4:${one},${other}`, single: one ?? '' };
    const artefactDir = join(folder, 'artefacts');
    store = await FolderStore.open(artefactDir);
    const common = { host: '127.0.0.1', port: 0, victims };
    server = await startAttack({ ...common, artefactDir, slotWaitSeconds: 60 });
    impatient = await startAttack({ ...common, artefactDir: undefined, slotWaitSeconds: 0.1 });
    calls = client(server);
    impatientCalls = client(impatient);
  });
  after(async () => {
    calls.close();
    impatientCalls.close();
    await Promise.all([server.close(), impatient.close()]);
    await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
    await telemetry.shutdown();
    await rm(folder, { recursive: true });
  });

  const single = (changes: Partial<attack.ThreatModel> = {}) => ({ ...request(changes), victim: 'single' });
  const pair = (changes: Partial<attack.ThreatModel> = {}) => ({ ...request(changes), victim: 'pair' });

  /** Starts an attack; resolves when it has made progress, to the promise of its end. */
  async function started(asked: attack.AttackRequest) {
    const responses = calls.attack(asked);
    assert.equal((await responses.next()).value?.kind?.$case, 'progress');
    return { end: read(responses) };
  }

  /** Keeps a slot of a victim busy until disposed. */
  async function occupied(victim: string): Promise<AsyncDisposable> {
    const abort = new AbortController();
    const asked = { ...request(ENDLESS), victim };
    const responses = calls.attack(asked, { signal: abort.signal });
    assert.equal((await responses.next()).value?.kind?.$case, 'progress');
    return {
      async [Symbol.asyncDispose]() {
        if (abort.signal.aborted) return;
        abort.abort();
        await assert.rejects(read(responses), { code: 'cancelled' });
      },
    };
  }

  it('takes inputs and gives results by reference', async () => {
    const raw = await read(calls.attack(single()));
    const asked = { ...single(), delivery: TENSOR_DELIVERY_REFERENCE };
    for (const input of asked.inputs) {
      assert.ok(input.tensor?.value?.$case === 'raw');
      const { sha256, sizeBytes } = await store.put(input.tensor.value.value);
      input.tensor = { ...input.tensor, value: { $case: 'reference', value: { sha256, sizeBytes } } };
    }
    const { results } = await read(calls.attack(asked));
    // A message a clip, each clip's tensor an artefact of its own.
    assert.deepEqual(
      results.map(({ rung, clips }) => [rung, ...clips]),
      raw.results.flatMap(({ rung, clips }) => clips.map((clip) => [rung, clip])),
    );
    const rows: Uint8Array[] = [];
    for (const { adversarial } of results) {
      const tensor = adversarial[0]?.tensor;
      assert.ok(tensor?.value?.$case === 'reference');
      const { data } = await loadTensor(store, tensor);
      rows.push(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    const rawBytes = raw.results.map(({ adversarial }) => {
      const tensor = adversarial[0]?.tensor;
      return tensor?.value?.$case === 'raw' ? tensor.value.value : Buffer.alloc(0);
    });
    assert.ok(Buffer.concat(rows).equals(Buffer.concat(rawBytes)));
    assert.deepEqual(
      results.flatMap(({ margins }) => margins),
      raw.results.flatMap(({ margins }) => margins),
    );
  });

  it('says which artefact it lacks', async () => {
    const asked = single();
    const [input] = asked.inputs;
    assert.ok(input?.tensor?.value?.$case === 'raw');
    const { byteLength } = input.tensor.value.value;
    const refer = (sha256: string, sizeBytes = byteLength) => {
      if (input.tensor) input.tensor = { ...input.tensor, value: { $case: 'reference', value: { sha256, sizeBytes } } };
      return asked;
    };
    const absent = createHash('sha256').update('never put').digest('hex');
    await assert.rejects(read(calls.attack(refer(absent))), {
      code: 'failed_precondition',
      message: new RegExp(`inputs\\[0\\]\\.tensor: artefact ${absent} is not in the store; put its bytes there first`),
    });
    await assert.rejects(read(calls.attack(refer('../card.json'))), {
      code: 'invalid_argument',
      message: /inputs\[0\]\.tensor: '\.\.\/card\.json' is not a SHA-256/,
    });
    await assert.rejects(read(calls.attack(refer(absent, 2 ** 40))), {
      code: 'invalid_argument',
      message: /inputs: refer to 1099511628376 bytes|inputs: refer to \d+ bytes; send fewer clips/,
    });
    const { sha256 } = await store.put(Buffer.alloc(byteLength + 4));
    await assert.rejects(read(calls.attack(refer(sha256))), {
      code: 'invalid_argument',
      message: /refers to \d+ bytes/,
    });
    const message = /no (artefact )?store; set FAULTLINE_ARTEFACT_DIR/;
    await assert.rejects(read(impatientCalls.attack(asked)), { code: 'failed_precondition', message });
    const wanted = { ...single(), delivery: TENSOR_DELIVERY_REFERENCE };
    await assert.rejects(read(impatientCalls.attack(wanted)), { code: 'failed_precondition', message });
  });

  it('tells a repeated request what it told the first one, while it runs and afterwards', async () => {
    const context = { caller: 'test', idempotencyKey: 'once' };
    const asked = { ...single({ ...LONG, steps: 200 }), context };
    const [first, second] = await Promise.all([read(calls.attack(asked)), read(calls.attack(asked))]);
    const third = await read(calls.attack(asked));
    assert.deepEqual([second, third], [first, first]);
    assert.deepEqual(first.kinds, ['progress', 'result', 'evidence', 'cost']);
    await assert.rejects(read(calls.attack({ ...single(), context })), {
      code: 'invalid_argument',
      message: /context\.idempotency_key: stands for another request/,
    });
    const other = { caller: 'somebody else', idempotencyKey: 'once' };
    assert.equal((await read(calls.attack({ ...single(), context: other }))).kinds.at(-1), 'cost');
    await assert.rejects(
      read(calls.attack({ ...single(), context: { caller: 'x'.repeat(129), idempotencyKey: '' } })),
      {
        code: 'invalid_argument',
        message: /context\.caller: has 129 characters/,
      },
    );
  });

  it('goes to the replica that has a slot, and waits when none has', async () => {
    await using one = await occupied('pair');
    await using _other = await occupied('pair');
    await assert.rejects(read(impatientCalls.attack(pair())), {
      code: 'resource_exhausted',
      message:
        /no slot became free in time \(waited up to 0\.1 s\): victim at ipv4:.*all 1 optimi[sz]e slots are taken/,
    });
    const waiting = read(calls.attack(pair()));
    await one[Symbol.asyncDispose]();
    assert.equal((await waiting).kinds.at(-1), 'cost');
  });

  it('does not wait beyond the deadline of the call', async () => {
    await using _endless = await occupied('single');
    await assert.rejects(read(calls.attack(single(), { deadlineMs: 150 })), (error) => {
      assert.ok(error instanceof FaultlineError);
      return error.code === 'deadline_exceeded' || error.code === 'resource_exhausted';
    });
  });

  /** Waits until the single replica admits a loop again; the time that took. */
  async function untilFree(): Promise<number> {
    const since = performance.now();
    while (performance.now() - since < SLOT_FREE_MS) {
      const refused = await read(impatientCalls.attack(single())).then(
        () => undefined,
        (error: unknown) => FaultlineError.from(error),
      );
      if (refused === undefined) return performance.now() - since;
      assert.equal(refused.code, 'resource_exhausted');
      await delay(20);
    }
    throw new Error(`the slot is not free after ${SLOT_FREE_MS / 1000} s`);
  }

  it('frees the slot when its caller cancels', async () => {
    const endless = await occupied('single');
    await endless[Symbol.asyncDispose]();
    await untilFree();
  });

  it('frees the slot when its caller is killed', async () => {
    const script = fileURLToPath(new URL('./testing/attack-client.ts', import.meta.url));
    const child = spawn(process.execPath, [script, server.address, 'single'], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await untilFree();
  });

  it('runs a lost loop anew on the other replica, to the same bits', async () => {
    const asked = [7, 8].map((seed) => pair({ ...LONG, seed }));
    const undisturbed = await Promise.all(asked.map((one) => read(calls.attack(one))));
    const running = await Promise.all(asked.map((one) => started(one)));
    // Each replica has one slot, so that one of the two loops is on this one.
    await replicas[1].stop('SIGKILL');
    const disturbed = await Promise.all(running.map(({ end }) => end));
    for (const [index, { results }] of disturbed.entries()) assert.deepEqual(results, undisturbed[index]?.results);

    await telemetry.shutdown();
    const runs = (await readSpans(join(folder, 'traces'))).filter(({ name }) => name === 'attack.run');
    const reruns = runs.flatMap(({ events = [] }) => events.filter(({ name }) => name === 'attack.rerun'));
    assert.ok(reruns.length >= 1);
    // Three callers shared one run.
    assert.equal(runs.filter(({ attributes }) => attributes['faultline.caller'] === 'test').length, 1);
  });
});
