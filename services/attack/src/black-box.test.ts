import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { attack, decodeTensor, encodeTensor, victim } from '@faultline/contracts';
import { type Client, connect, type RunningServer } from '@faultline/service-kit';
import type { OipAnswers } from '@faultline/victim-grpc';
import { type OipServer, startOipServer } from '@faultline/victim-grpc/oip-server';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import { attackConfig } from './config.ts';
import { startAttack } from './start-attack.ts';
import { frames, request as linearRequest, read } from './testing/linear-attack.ts';

// Attacks of this service on models behind real servers of the Open Inference Protocol.

const ANSWERS = ['logits', 'probabilities', 'labels'] as const satisfies readonly OipAnswers[];
const BUDGET = 300;

/** A victim that random noise deactivates now and then: where decisions are all that is known, a search begins with such a point. */
const SAMPLES = 200;
const wave = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(1.3 * i));
const weights = wave(2 * SAMPLES, 0.3);
const linear = linearVictim({
  waveform: weights,
  frames: wave(192, 0.02),
  bias: Float32Array.of(0.3, 0.2),
  frameDims: [2, 4, 4],
});
const TRUTH = [[0], [1], [0, 1]];
/** Clips whose true labels are active. */
const sounds = Float32Array.from({ length: TRUTH.length * SAMPLES }, (_, i) => {
  const [clip, sample] = [Math.floor(i / SAMPLES), i % SAMPLES];
  return 0.1 * Math.sign((TRUTH[clip] ?? []).reduce((sum, label) => sum + (weights[2 * sample + label] ?? 0), 0));
});
const request = (changes: Partial<attack.ThreatModel>): attack.AttackRequest => ({
  ...linearRequest(changes),
  modelSha256: linear.card.sha256,
  inputs: [
    { name: 'waveform', tensor: encodeTensor({ dims: [TRUTH.length, SAMPLES], data: sounds }) },
    { name: 'frames', tensor: encodeTensor(frames) },
  ],
});

const folder = await mkdtemp(join(tmpdir(), 'black-box-'));
const model = await LocalVictim.load(linear);
const servers = new Map<string, OipServer>();
let service: RunningServer;
let client: Client<typeof attack.AttackServiceService>;

before(async () => {
  const card = join(folder, 'card.json');
  await writeFile(card, JSON.stringify(victim.Card.toJSON(linear.card)));
  const victims: Record<string, string> = {};
  for (const answers of ANSWERS) {
    const server = await startOipServer({ card: linear.card, predictor: model, answers });
    servers.set(answers, server);
    victims[answers] = `oip:${server.address}/linear?card=${card}&answers=${answers}`;
  }
  victims.poor = `oip:${servers.get('logits')?.address}/linear?card=${card}&query_budget=${BUDGET}`;
  const config = attackConfig.parse({ victims: JSON.stringify(victims) });
  service = await startAttack({ ...config, host: '127.0.0.1', port: 0 });
  client = connect(attack.AttackServiceService, service.address);
});
after(async () => {
  client.close();
  await service.close();
  for (const server of servers.values()) await server[Symbol.asyncDispose]();
  await model[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const queries = (value: number): attack.AttackParameter => ({
  name: 'queries',
  value: { $case: 'number', value },
});

/** Whether a fresh prediction finds every true label of these clips inactive. */
async function deactivated(tensor: attack.SearchResult['adversarial'][number], clips: readonly number[]) {
  assert.ok(tensor.tensor !== undefined);
  const waveform = decodeTensor(tensor.tensor);
  const size = frames.data.length / (frames.dims[0] ?? 1);
  const pixels = Uint8Array.from(clips.flatMap((clip) => [...frames.data.subarray(clip * size, (clip + 1) * size)]));
  const { logits } = await model.predict(
    new Map([
      ['waveform', waveform],
      ['frames', { dims: [clips.length, ...frames.dims.slice(1)], data: pixels }],
    ]),
  );
  return clips.map((clip, row) => (TRUTH[clip] ?? []).every((label) => (logits.data[2 * row + label] ?? 1) < 0));
}

for (const answers of ANSWERS) {
  test(`HopSkipJump searches against a server that gives ${answers}`, async () => {
    const server = servers.get(answers);
    const before = server?.rows ?? 0;
    const { norm, attack: algorithm } = { norm: attack.Norm.NORM_L2, attack: 'hop_skip_jump' };
    const asked = request({ norm, attack: algorithm, rungs: [], parameters: [queries(640)] });
    const responses: attack.AttackResponse[] = [];
    for await (const response of client.attack({ ...asked, victim: answers })) responses.push(response);
    const { searches } = await read(stream(responses));
    const cost = responses.at(-1)?.kind;
    const clips = searches.flatMap((search) => search.clips);
    assert.deepEqual(clips, [0, 1, 2]);
    for (const search of searches) {
      const [tensor] = search.adversarial;
      assert.ok(tensor !== undefined);
      assert.deepEqual(
        await deactivated(tensor, search.clips),
        search.clips.map(() => true),
      );
      assert.ok(search.scales.every((scale) => scale > 0));
    }
    assert.ok(cost?.$case === 'cost');
    assert.deepEqual(cost.value, { forwardExamples: (server?.rows ?? 0) - before, gradientExamples: 0 });
    assert.ok(cost.value.forwardExamples <= 3 * 640);
  });
}

test('Square climbs the ladder by scores alone', async () => {
  const before = servers.get('logits')?.rows ?? 0;
  const asked = request({ attack: 'square', parameters: [queries(200)], rungs: [early(0.5), never(0.5)] });
  const { kinds, results } = await read(client.attack({ ...asked, victim: 'logits' }));
  assert.deepEqual(kinds.slice(-3), ['result', 'evidence', 'cost']);
  assert.deepEqual(results.find(({ rung }) => rung === 1)?.clips, [0, 1, 2]);
  assert.ok((servers.get('logits')?.rows ?? 0) - before <= 3 * 2 * 200);
});

test('noise needs no gradients either', async () => {
  const asked = request({ attack: 'noise', parameters: [], rungs: [never(0.1)] });
  const { results } = await read(client.attack({ ...asked, victim: 'logits' }));
  assert.deepEqual(results[0]?.clips, [0, 1, 2]);
});

test('knowledge that a black box does not give is refused', async () => {
  const refused = (name: string, attackName: string) =>
    read(client.attack({ ...request({ attack: attackName }), victim: name }));
  await assert.rejects(refused('logits', 'pgd'), {
    code: 'failed_precondition',
    message: /gives answers and no gradients; use an attack that knows scores or labels only/,
  });
  await assert.rejects(refused('labels', 'square'), {
    code: 'failed_precondition',
    message: /tells which labels are active, and no scores/,
  });
});

test('a spent query budget ends the attack and says so', async () => {
  const asked = request({ attack: 'square', parameters: [queries(5_000)], rungs: [never(1e-6)] });
  await assert.rejects(read(client.attack({ ...asked, victim: 'poor' })), {
    code: 'failed_precondition',
    message: /the query budget is spent: \d+ of 300 queries were sent/,
  });
});

test('addresses that cannot be used are refused by name', async () => {
  const address = servers.get('logits')?.address;
  const started = (text: string) =>
    startAttack({ ...attackConfig.parse({ victims: JSON.stringify({ a: text }) }), host: '127.0.0.1', port: 0 });
  await assert.rejects(started(`oip:${address}/linear`), /has no card; add \?card=path/);
  await assert.rejects(started('oip:nowhere?card=x'), /give oip:host:port\/model\?card=path/);
  await assert.rejects(started(`oip:${address}/linear?card=/none`), /card '\/none': cannot be read/);
  await assert.rejects(started(`oip:${address}/linear?card=x&answers=maybe`), /answers is 'maybe'; give one of logits/);
  await assert.rejects(started(`oip:${address}/linear?budget=3`), /'budget' is no parameter; use card, version/);
});

const early = (scale: number) => ({ scale, stopping: attack.Stopping.STOPPING_EARLY });
const never = (scale: number) => ({ scale, stopping: attack.Stopping.STOPPING_NEVER });

async function* stream(responses: readonly attack.AttackResponse[]) {
  yield* responses;
}
