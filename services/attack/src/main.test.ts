import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { applyUniversal, catalogue } from '@faultline/attack-algorithms';
import { attack, decodeTensor } from '@faultline/contracts';
import { type Client, connect, FaultlineError } from '@faultline/service-kit';
import { ServiceProcess } from '@faultline/service-kit/testing';
import { RemoteVictim } from '@faultline/victim-grpc';
import { frames, read, request, writeVictim } from './testing/linear-attack.ts';
import { readSpans } from './testing/span-records.ts';

describe('the attack process beside an inference process', () => {
  let folder: string;
  let inference: ServiceProcess;
  let doomed: ServiceProcess;
  let service: ServiceProcess;
  let client: Client<typeof attack.AttackServiceService>;

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'attack-'));
    await writeVictim(folder);
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
      attacks
        .filter(({ name }) => name === 'pgd' || name === 'noise')
        .map(({ name, kind, knowledge }) => [name, kind, knowledge]),
      [
        ['pgd', ATTACK_KIND_FIXED_BUDGET, ATTACK_KNOWLEDGE_GRADIENTS],
        ['noise', ATTACK_KIND_BASELINE, ATTACK_KNOWLEDGE_NOTHING],
      ],
    );
    assert.deepEqual(
      attacks.map(({ name }) => name),
      [...catalogue.keys()],
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
    assert.ok(attacks.every(({ summary, source, norms }) => summary !== '' && source !== '' && norms.length > 0));
  });

  it('crafts one perturbation for all clips, which a fresh prediction confirms', async () => {
    const rungs = [{ scale: 0.5, stopping: attack.Stopping.STOPPING_NEVER }];
    const one = request({ attack: 'universal', rungs });
    const { kinds, universals } = await read(client.attack(one));
    assert.deepEqual(kinds, ['progress', 'universal', 'cost']);
    const [{ perturbations, norms, reachedByPass } = { perturbations: [], norms: [], reachedByPass: [] }] = universals;
    const tensor = perturbations[0]?.tensor;
    assert.ok(tensor);
    const delta = decodeTensor(tensor);
    assert.deepEqual([perturbations.length, delta.dims[0], reachedByPass.length], [1, 1, 20]);
    assert.ok(delta.data instanceof Float32Array && universals.length === 1);
    const size = delta.data.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
    assert.ok(size <= 0.5 && size > 0);
    assert.deepEqual(norms, [size]);
    assert.equal(reachedByPass.at(-1), 1);
    await using fresh = new RemoteVictim(inference.address);
    const { card } = await fresh.describe();
    const clean = new Map(
      one.inputs.flatMap(({ name, tensor: input }) => (input ? [[name, decodeTensor(input)]] : [])),
    );
    const { logits } = await fresh.predict(
      applyUniversal(new Map([['waveform', { ...delta, data: delta.data }]]), clean, card),
    );
    const targets = decodeTensor(one.targets ?? tensor);
    assert.ok(logits.data.every((value, i) => targets.data[i] !== 1 || value < (card.labels[i % 2]?.threshold ?? 0)));
    await assert.rejects(
      read(client.attack(request({ attack: 'universal' }))),
      (error) =>
        error instanceof FaultlineError && error.code === 'invalid_argument' && /STOPPING_NEVER/.test(error.message),
    );
  });

  it('crafts on a surrogate what it asks the victim about, and counts the work of both', async () => {
    const change = { attack: 'transfer', surrogate: 'doomed' };
    const transferred = await read(client.attack(request(change)));
    assert.deepEqual(transferred.kinds, ['progress', 'result', 'cost'], 'loops on the surrogate are no evidence');
    assert.deepEqual(
      transferred.results.map(({ rung, clips }) => [rung, clips]),
      [
        [1, [0, 1, 2]],
        [2, [0, 1, 2]],
      ],
      'the surrogate is the same model',
    );
    assert.ok(transferred.results.every(({ margins }) => margins.every((margin) => margin < 0)));
    for (const [surrogate, message] of [
      ['nobody', /nobody.*linear/],
      ['', /threat_model\.surrogate: is empty; 'transfer' crafts on another victim/],
    ] as const) {
      await assert.rejects(read(client.attack(request({ ...change, surrogate }))), message);
    }
  });

  it('finds examples that a fresh prediction confirms', async () => {
    const { kinds, results } = await read(client.attack(request()));
    assert.deepEqual(kinds, ['progress', 'result', 'evidence', 'cost']);
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

  it('searches for the smallest scale where there is no ladder', async () => {
    for (const name of ['fmn', 'pgd']) {
      const { kinds, searches } = await read(client.attack(request({ attack: name, rungs: [], steps: 40 })));
      assert.deepEqual(kinds, ['progress', 'search', 'evidence', 'cost']);
      const intervals = searches.flatMap((search) => search.intervals);
      assert.deepEqual(
        intervals.map(({ clip }) => clip),
        [0, 1, 2],
      );
      for (const { failedScale, reachedScale = Number.NaN } of intervals) {
        assert.ok(failedScale < reachedScale && reachedScale <= 1.1 * failedScale, name);
      }
      assert.deepEqual(
        searches.flatMap(({ scales }) => scales),
        intervals.map(({ reachedScale }) => reachedScale),
      );
    }
    await assert.rejects(read(client.attack(request({ attack: 'fmn' }))), {
      code: 'invalid_argument',
      message: /threat_model.rungs: has 3 rungs; 'fmn' looks for the smallest scale by itself: give none/,
    });
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
        {
          field: 'threat_model.attack',
          description: `'magic' is not in the catalogue; use one of ${[...catalogue.keys()].join(', ')}`,
        },
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
    const [lost] = named('attack.run').filter(({ attributes }) => attributes['faultline.victim'] === 'doomed');
    const reruns = lost?.events?.filter(({ name }) => name === 'attack.rerun') ?? [];
    assert.deepEqual(
      reruns.map(({ attributes }) => attributes),
      [1, 2, 3].map((rerun) => ({ 'faultline.rerun': rerun })),
    );
    assert.equal(loops.filter(({ parentSpanId }) => parentSpanId === lost?.spanId).length, 1 + reruns.length);
  });
});
