import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { attack, decodeTensor, encodeTensor, victim } from '@faultline/contracts';
import { type Client, connect, FaultlineError, type SpanRecord } from '@faultline/service-kit';
import { RemoteVictim } from '@faultline/victim-grpc';
import { linearVictim } from '@faultline/victim-local/testing';
import { ServiceProcess } from './testing/service-process.ts';

const SAMPLES = 64;
const PIXELS = 2 * 3 * 4 * 4;
const LABELS = 2;
const CLIPS = 3;
const wave = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(i * 1.3));
const linear = linearVictim({
  waveform: wave(SAMPLES * LABELS, 0.5),
  frames: wave(PIXELS * LABELS, 0.2),
  bias: Float32Array.of(2, 3),
  frameDims: [2, 4, 4],
});
const waveform = { dims: [CLIPS, SAMPLES], data: wave(CLIPS * SAMPLES, 0.3) };
const frames = {
  dims: [CLIPS, 2, 3, 4, 4],
  data: Uint8Array.from({ length: CLIPS * PIXELS }, (_, i) => (i * 37) % 256),
};

/** A request that succeeds on the larger rung; tests change what they are about. */
function request(changes: Partial<attack.ThreatModel> = {}): attack.AttackRequest {
  return {
    context: undefined,
    victim: 'linear',
    modelSha256: linear.card.sha256,
    threatModel: {
      name: 'linf-waveform',
      variables: [attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 1 })],
      norm: attack.Norm.NORM_LINF,
      rungs: [
        { scale: 0, stopping: attack.Stopping.STOPPING_EARLY },
        { scale: 0.5, stopping: attack.Stopping.STOPPING_EARLY },
        { scale: 0.5, stopping: attack.Stopping.STOPPING_NEVER },
      ],
      attack: 'pgd',
      steps: 20,
      restarts: 1,
      seed: 7,
      parameters: [],
      ...changes,
    },
    inputs: [
      { name: 'waveform', tensor: encodeTensor(waveform) },
      { name: 'frames', tensor: encodeTensor(frames) },
    ],
    targets: encodeTensor({ dims: [CLIPS, LABELS], data: Float32Array.of(1, 0, 0, 1, 1, 1) }),
    clipSha256: Array.from({ length: CLIPS }, (_, clip) => createHash('sha256').update(`${clip}`).digest('hex')),
    delivery: attack.TensorDelivery.TENSOR_DELIVERY_RAW,
  };
}

async function read(responses: AsyncIterable<attack.AttackResponse>) {
  const kinds: string[] = [];
  const results: attack.RungResult[] = [];
  for await (const { kind } of responses) {
    if (kind !== undefined && kinds.at(-1) !== kind.$case) kinds.push(kind.$case);
    if (kind?.$case === 'result') results.push(kind.value);
  }
  return { kinds, results };
}

async function readSpans(folder: string): Promise<SpanRecord[]> {
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => text.trim().split('\n').filter(Boolean)).map((line): SpanRecord => JSON.parse(line));
}

describe('the attack process beside an inference process', () => {
  let folder: string;
  let inference: ServiceProcess;
  let doomed: ServiceProcess;
  let service: ServiceProcess;
  let client: Client<typeof attack.AttackServiceService>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attack-'));
    await writeFile(join(folder, 'model.onnx'), linear.model);
    await writeFile(join(folder, 'card.json'), JSON.stringify(victim.Card.toJSON(linear.card)));
    const FAULTLINE_TRACE_DIR = join(folder, 'traces');
    const environment = {
      FAULTLINE_VICTIM_DIR: folder,
      FAULTLINE_THREADS: '1',
      FAULTLINE_OPTIMIZE_SLOTS: '1',
      FAULTLINE_TRACE_DIR,
    };
    [inference, doomed] = await Promise.all([
      ServiceProcess.start('inference', environment),
      ServiceProcess.start('inference', environment),
    ]);
    const FAULTLINE_VICTIMS = JSON.stringify({
      linear: inference.address,
      doomed: doomed.address,
      gone: '127.0.0.1:1',
    });
    service = await ServiceProcess.start('attack', { FAULTLINE_VICTIMS, FAULTLINE_TRACE_DIR });
    client = connect(attack.AttackServiceService, service.address);
  });
  after(async () => {
    client.close();
    await service[Symbol.asyncDispose]();
    await inference[Symbol.asyncDispose]();
    await doomed[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  it('lists its catalogue', async () => {
    const { attacks } = await client.listAttacks({ context: undefined });
    const { ATTACK_KIND_FIXED_BUDGET, ATTACK_KIND_BASELINE } = attack.AttackKind;
    const { ATTACK_KNOWLEDGE_GRADIENTS, ATTACK_KNOWLEDGE_NOTHING } = attack.AttackKnowledge;
    assert.deepEqual(
      attacks.map(({ name, kind, knowledge }) => [name, kind, knowledge]),
      [
        ['pgd', ATTACK_KIND_FIXED_BUDGET, ATTACK_KNOWLEDGE_GRADIENTS],
        ['noise', ATTACK_KIND_BASELINE, ATTACK_KNOWLEDGE_NOTHING],
      ],
    );
    const [pgd] = attacks;
    const types = new Map(pgd?.parameters.map(({ name, type }) => [name, type]));
    assert.deepEqual(types.get('random_start'), {
      $case: 'number',
      value: { minimum: 0, maximum: 1, defaultValue: 1, whole: false },
    });
    assert.deepEqual(types.get('schedule'), {
      $case: 'choice',
      value: { values: ['cosine', 'constant'], defaultValue: 'cosine' },
    });
    assert.ok(attacks.every(({ summary, source, norms }) => summary !== '' && source !== '' && norms.length === 2));
  });

  it('finds examples that a fresh prediction confirms', async () => {
    const { kinds, results } = await read(client.attack(request()));
    assert.deepEqual(kinds, ['progress', 'result', 'cost']);
    assert.deepEqual(
      results.map(({ rung, clips }) => [rung, clips]),
      [
        [1, [0, 1, 2]],
        [2, [0, 1, 2]],
      ],
    );
    await using fresh = new RemoteVictim(inference.address);
    for (const { adversarial } of results) {
      assert.deepEqual(
        adversarial.map(({ name }) => name),
        ['waveform'],
      );
      const tensor = adversarial[0]?.tensor;
      assert.ok(tensor);
      const { logits } = await fresh.predict(
        new Map([
          ['waveform', decodeTensor(tensor)],
          ['frames', frames],
        ]),
      );
      const [a, , , b, c, d] = logits.data;
      for (const logit of [a, b, c, d]) assert.ok(Number(logit) <= -1e-4);
    }
  });

  it('refuses unknown names and says which there are', async () => {
    await assert.rejects(read(client.attack({ ...request(), victim: 'late' })), {
      code: 'not_found',
      message: /victim 'late' is not configured; this service knows: doomed, gone, linear/,
    });
    await assert.rejects(read(client.attack(request({ attack: 'magic' }))), (error) => {
      assert.ok(error instanceof FaultlineError);
      assert.equal(error.code, 'invalid_argument');
      assert.deepEqual(error.violations, [
        { field: 'threat_model.attack', description: "'magic' is not in the catalogue; use one of pgd, noise" },
      ]);
      return true;
    });
  });

  it('refuses a model other than the pinned one', async () => {
    await assert.rejects(read(client.attack({ ...request(), modelSha256: '0'.repeat(64) })), {
      code: 'failed_precondition',
      message: /pinned to model 0{64}/,
    });
  });

  it('says which victim cannot be reached', async () => {
    await assert.rejects(read(client.attack({ ...request(), victim: 'gone' })), {
      code: 'unavailable',
      message: /127\.0\.0\.1:1/,
    });
  });

  it('says which victim was lost in the middle of a loop', async () => {
    const responses = client.attack({ ...request({ steps: 10_000, restarts: 1_000 }), victim: 'doomed' });
    assert.equal((await responses.next()).value?.kind?.$case, 'progress');
    await doomed.stop('SIGKILL');
    await assert.rejects(read(responses), { code: 'unavailable', message: new RegExp(`victim at ${doomed.address}`) });
  });

  it('ends the loop beside the weights when its caller leaves', async () => {
    for await (const { kind } of client.attack(request({ steps: 10_000, restarts: 1_000 }))) {
      if (kind?.$case === 'progress') break;
    }
    // The one slot of the inference service is free again, or this would wait for a day.
    assert.equal((await read(client.attack(request()))).kinds.at(-1), 'cost');
  });

  it('spans each run and each loop, and the calls of a loop hang below it', async () => {
    client.close();
    assert.equal(await service.stop(), 0);
    assert.equal(await inference.stop(), 0);
    const spans = await readSpans(join(folder, 'traces'));
    const named = (name: string) => spans.filter((span) => span.name === name);
    const [run] = named('attack.run').filter(({ attributes }) => attributes['faultline.attack'] === 'pgd');
    assert.ok(run);
    assert.deepEqual(run.attributes['faultline.variables'], ['waveform']);
    assert.deepEqual([run.attributes['faultline.norm'], run.attributes['faultline.rungs']], ['linf', 3]);
    const loops = named('attack.loop');
    const [loop] = loops.filter(({ parentSpanId }) => parentSpanId === run.spanId);
    assert.ok(loop && loop.traceId === run.traceId);
    const [call] = spans.filter(({ parentSpanId }) => parentSpanId === loop.spanId);
    assert.match(call?.name ?? '', /InferenceService\/Optimize$/);
    const [served] = spans.filter(({ parentSpanId }) => parentSpanId === call?.spanId);
    assert.equal(served?.traceId, run.traceId);
    assert.ok(loops.length <= named('attack.run').length);
  });
});
