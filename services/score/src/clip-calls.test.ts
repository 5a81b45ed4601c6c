import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FolderStore, loadTensor } from '@faultline/artefacts';
import { HELD_OUT_ONSETS, heldOutShifts, shiftSound } from '@faultline/attack-algorithms';
import { type attack, decodeTensor, score } from '@faultline/contracts';
import { FaultlineError } from '@faultline/service-kit';
import { clipMedia, type LinearSetting, linearSetting, threatModel } from './test-support/linear-campaign.ts';
import { LABELS, linearLogits, linearVictim, PIXELS, SAMPLES } from './test-support/linear-victim.ts';

const { SCORE_STATE_FINISHED, SCORE_STATE_CUT_SHORT, SCORE_STATE_NOT_STARTED } = score.ScoreState;
const { LABEL_SOURCE_CLIP_SET, LABEL_SOURCE_PREDICTION, LABEL_SOURCE_REQUEST } = score.LabelSource;

let setting: LinearSetting;
let attacks = 0;
/** While true, attacks of the threat model "endless" do not end unless they are stopped. */
let isEndless = true;

before(async () => {
  setting = await linearSetting({
    before: async (request, signal) => {
      attacks += 1;
      if (request.threatModel?.name !== 'endless' || !isEndless) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      signal.throwIfAborted();
    },
  });
  // Opening the database blocks this process for some seconds; deadlines have to begin after that.
  await setting.client.listCampaigns({ context: undefined, pageSize: 0, pageToken: '' });
});

after(() => setting[Symbol.asyncDispose]());

function request(change: Partial<score.ScoreRequest> = {}, idempotencyKey = ''): score.ScoreRequest {
  return score.ScoreRequest.fromPartial({
    context: { caller: 'test', idempotencyKey },
    clips: [{ source: { $case: 'clipId', value: 'clip-0' } }, { source: { $case: 'clipId', value: 'clip-4' } }],
    threatModels: [threatModel()],
    seed: 7,
    ...change,
  });
}

async function scored(asked: score.ScoreRequest, deadlineMs?: number) {
  const scores: score.ClipScore[] = [];
  let summary: score.ScoreSummary | undefined;
  for await (const { kind } of setting.client.score(asked, deadlineMs === undefined ? {} : { deadlineMs })) {
    assert.equal(summary, undefined, 'the summary is the last message');
    if (kind?.$case === 'score') scores.push(kind.value);
    if (kind?.$case === 'summary') summary = kind.value;
  }
  assert.ok(summary !== undefined);
  return { scores, summary };
}

test('critical scales are the closed-form ones, one score for each victim, threat model and clip', async () => {
  const { scores, summary } = await scored(request());
  assert.deepEqual(scores.map((one) => [one.victim, one.clip, one.state, one.labelSource]).sort(), [
    ['strong', 'clip-0', SCORE_STATE_FINISHED, LABEL_SOURCE_CLIP_SET],
    ['strong', 'clip-4', SCORE_STATE_FINISHED, LABEL_SOURCE_CLIP_SET],
    ['weak', 'clip-0', SCORE_STATE_FINISHED, LABEL_SOURCE_CLIP_SET],
    ['weak', 'clip-4', SCORE_STATE_FINISHED, LABEL_SOURCE_CLIP_SET],
  ]);
  const scales = [0.5, 1, 2, 4, 8];
  for (const one of scores) {
    const gain = one.victim === 'strong' ? 2 : 1;
    const optimum = (one.cleanMargin ?? Number.NaN) / gain / 0.1;
    const expected = scales.find((scale) => scale > optimum);
    assert.equal(one.criticalScale, expected, `${one.victim}, ${one.clip}: ${optimum}`);
    assert.equal(one.triedWithout, scales.findLast((scale) => scale < (expected ?? Number.POSITIVE_INFINITY)) ?? 0);
    assert.equal(one.limit, 8);
    const [perturbation] = one.perturbations;
    assert.equal(perturbation === undefined, expected === undefined);
    assert.ok(perturbation === undefined || perturbation.norm <= perturbation.epsilon);
    assert.equal((one.adversarialMargin ?? 1) < 0, expected !== undefined);
    assert.deepEqual(one.adversarial, []);
  }
  assert.deepEqual([summary.complete, summary.planned, summary.finished, summary.shortfall], [true, 4, 4, '']);
  assert.equal(summary.attackCost?.gradientExamples, 20);
});

test('tensors come back where asked for, and deactivate the victim', async () => {
  const adversarial = score.AdversarialReturn.ADVERSARIAL_RETURN_TENSORS;
  const { scores } = await scored(request({ victims: ['weak'], adversarial }));
  const model = linearVictim('weak', { waveform: 1, frames: 0.5 });
  for (const [index, one] of scores.entries()) {
    const tensor = one.adversarial[0]?.tensor;
    assert.ok(one.adversarial[0]?.name === 'waveform' && tensor !== undefined);
    const { data } = decodeTensor(tensor);
    assert.ok(data instanceof Float32Array);
    const clip = index === 0 ? 0 : 4;
    const frames = Float32Array.from(clipMedia(clip).frames, (pixel) => pixel / 255);
    const logit = linearLogits(model, data, frames)[clip % LABELS.length] ?? Number.NaN;
    assert.ok(Math.abs(logit - 0.25 - (one.adversarialMargin ?? 0)) < 1e-6);
  }
});

test('of attacks over shifts the share of held-out onsets is what fresh predictions say; of others it is unset', async () => {
  const adversarial = score.AdversarialReturn.ADVERSARIAL_RETURN_TENSORS;
  const asked = { share: 0.1, fill: 'circular' } as const;
  const parameters: attack.AttackParameter[] = [
    { name: 'shift_share', value: { $case: 'number', value: asked.share } },
    { name: 'shift_fill', value: { $case: 'choice', value: asked.fill } },
  ];
  const threatModels = [threatModel(), threatModel({ name: 'shifting', parameters })];
  // What stands beside the dog's own samples is louder than they are: where it is heard in their place, the dog is on again.
  const waveform = Array.from({ length: SAMPLES }, (_, at) => (at % LABELS.length === 0 ? 0.5 : 0.8));
  const loud = { waveform, frames: Array(PIXELS).fill(0) };
  const clips = [{ source: media(loud), labels: ['dog'] }];
  const { scores } = await scored(
    score.ScoreRequest.fromPartial({ ...request({ victims: ['weak'], threatModels, adversarial }), clips }),
  );
  const [plain, shifted] = threatModels.map(({ name }) => scores.find((one) => one.threatModel === name));
  assert.equal(plain?.heldOutShare, undefined);
  const tensor = shifted?.adversarial[0]?.tensor;
  assert.ok(tensor !== undefined);
  const { data } = decodeTensor(tensor);
  assert.ok(data instanceof Float32Array);
  const model = linearVictim('weak', { waveform: 1, frames: 0.5 });
  const sha256 = createHash('sha256').update(JSON.stringify(loud)).digest('hex');
  const off = heldOutShifts(sha256, asked, SAMPLES).filter((shift) => {
    const [dog = Number.NaN] = linearLogits(model, shiftSound(data, shift, asked.fill), new Float32Array(PIXELS));
    return dog - 0.25 <= -1e-4;
  });
  assert.ok(off.length > 0 && off.length < HELD_OUT_ONSETS, `${off.length} onsets hold`);
  assert.equal(shifted?.heldOutShare, off.length / HELD_OUT_ONSETS);
});

test('tensors by reference are in the store', async () => {
  const of = (adversarial: score.AdversarialReturn) => scored(request({ victims: ['weak'], adversarial }));
  const [raw] = (await of(score.AdversarialReturn.ADVERSARIAL_RETURN_TENSORS)).scores;
  const [referred] = (await of(score.AdversarialReturn.ADVERSARIAL_RETURN_REFERENCES)).scores;
  const tensor = referred?.adversarial[0]?.tensor;
  assert.ok(tensor?.value?.$case === 'reference' && raw?.adversarial[0]?.tensor !== undefined);
  const store = await FolderStore.open(join(setting.runsDir, 'artefacts'));
  assert.deepEqual(await loadTensor(store, tensor), decodeTensor(raw.adversarial[0].tensor));
});

test('media without labels: the goal is the victim’s own prediction; nothing active, nothing to attack', async () => {
  const silent = { waveform: Array(32).fill(0), frames: Array(24).fill(0) };
  const clips = [
    { source: media(clipMedia(4)), name: 'seen' },
    { source: media(silent) },
    { source: media(clipMedia(4)), name: 'told', labels: ['dog'] },
  ];
  const { scores } = await scored(score.ScoreRequest.fromPartial({ ...request({ victims: ['weak'] }), clips }));
  const of = (clip: string) => scores.find((one) => one.clip === clip);
  assert.deepEqual(of('seen')?.labels, ['bird']);
  assert.equal(of('seen')?.labelSource, LABEL_SOURCE_PREDICTION);
  assert.ok((of('seen')?.criticalScale ?? 0) > 0);
  assert.deepEqual([of('clips[1]')?.labels, of('clips[1]')?.criticalScale], [[], 0]);
  assert.match(of('clips[1]')?.reason ?? '', /nothing to attack/);
  assert.equal(of('told')?.labelSource, LABEL_SOURCE_REQUEST);
  assert.equal(of('told')?.criticalScale, 0, 'a label that is off needs no attack');
});

test('within a deadline: what was finished, and what the time was not enough for', async () => {
  const endless = threatModel({ name: 'endless' });
  const { scores, summary } = await scored(
    request({ victims: ['weak'], threatModels: [threatModel(), endless] }),
    4000,
  );
  assert.equal(scores.length, 4);
  const of = (model: string, clip: string) => scores.find((one) => one.threatModel === model && one.clip === clip);
  assert.equal(of('linf-waveform', 'clip-0')?.state, SCORE_STATE_FINISHED);
  assert.equal(of('endless', 'clip-0')?.state, SCORE_STATE_CUT_SHORT);
  assert.equal(of('endless', 'clip-0')?.criticalScale, undefined);
  assert.match(of('endless', 'clip-0')?.reason ?? '', /the time ended during the attack/);
  assert.equal(of('endless', 'clip-4')?.state, SCORE_STATE_NOT_STARTED);
  assert.match(
    of('endless', 'clip-4')?.reason ?? '',
    /no time to attack: about .* s are needed, .* s were left|the time was up/,
  );
  assert.deepEqual([summary.complete, summary.planned], [false, 4]);
  assert.match(summary.shortfall, /enough for [12] of 4 scores: allow more time/);
});

test('a repeated key gives the first call’s messages, and refuses another request', async () => {
  const first = await scored(request({}, 'key'));
  const before = attacks;
  assert.deepEqual(await scored(request({}, 'key')), first);
  assert.equal(attacks, before);
  await assert.rejects(scored(request({ seed: 8 }, 'key')), {
    code: 'invalid_argument',
    message: /context.idempotencyKey: 'key' was used for another request/,
  });
  const [third, fourth] = await Promise.all([scored(request({}, 'other')), scored(request({}, 'other'))]);
  assert.deepEqual(third, fourth);
  assert.equal(attacks, before + 2, 'of two calls at once one works: an attack for each victim');
});

test('a call that is left stops its work', async () => {
  const asked = request({ threatModels: [threatModel(), threatModel({ name: 'endless' })] }, 'left');
  for await (const { kind } of setting.client.score(asked)) if (kind?.$case === 'score') break;
  isEndless = false;
  // The key is free again: the call that held it has no result.
  assert.equal((await scored(asked)).summary.complete, true);
});

test('what is wrong with a request is said at once, field by field', async () => {
  const clips = [
    { source: { $case: 'clipId' as const, value: 'nothing' } },
    {},
    { source: { $case: 'media' as const, value: Buffer.alloc(0) } },
    { source: { $case: 'clipId' as const, value: 'clip-0' }, labels: ['unicorn'] },
  ];
  const asked = { ...request({ victims: ['weak', 'nobody'], threatModels: [] }), clips };
  const thrown: unknown = await scored(score.ScoreRequest.fromPartial(asked)).catch((error: unknown) => error);
  assert.ok(thrown instanceof Error);
  for (const text of [
    "victims[1]: 'nobody' is not a known victim (known: strong, weak)",
    "clips[0].clipId: 'nothing' is no clip of the set 'linear'",
    'clips[1]: has no source; give clip_id or media',
    'clips[2].media: is empty',
    "clips[3].labels: 'unicorn' is no label of victim 'weak'",
    'threatModels: has 0 entries; give 1 to 16',
  ]) {
    assert.ok(thrown.message.includes(text), `${text} in ${thrown.message}`);
  }
});

const predictRequest = (change: Partial<score.PredictRequest>): score.PredictRequest =>
  score.PredictRequest.fromPartial({ victims: ['weak'], ...change });
const media = (values: object) => ({ $case: 'media' as const, value: Buffer.from(JSON.stringify(values)) });

test('predictions: logits, thresholds and active labels, by clip id and by media, extracted once', async () => {
  const extractions = setting.extractions();
  const clips = [
    { name: '', labels: [], source: { $case: 'clipId' as const, value: 'clip-7' } },
    { name: 'same', labels: [], source: media(clipMedia(7)) },
    { name: 'off', labels: ['dog'], source: media({ waveform: Array(32).fill(0), frames: Array(24).fill(0) }) },
  ];
  const { clips: resolved, victims } = await setting.client.predict(predictRequest({ victims: [], clips }));
  assert.deepEqual(
    resolved.map(({ name, labels }) => [name, labels]),
    [
      ['clip-7', ['bird']],
      ['same', []],
      ['off', ['dog']],
    ],
  );
  assert.equal(resolved[0]?.sha256, resolved[1]?.sha256);
  assert.deepEqual(
    victims.map(({ victim }) => victim),
    ['strong', 'weak'],
  );
  for (const { labels, predictions } of victims) {
    assert.deepEqual(
      labels.map(({ label, threshold }) => [label, threshold]),
      LABELS.map((label) => [label, 0.25]),
    );
    assert.deepEqual(predictions[0]?.logits, predictions[1]?.logits);
    assert.deepEqual(
      predictions.map(({ activeLabels }) => activeLabels),
      [['bird'], ['bird'], []],
    );
  }
  assert.equal(setting.extractions() - extractions, 2, 'the same bytes are extracted once, for all victims');
});

test('media that cannot be decoded are the caller’s fault, by their place in the request', async () => {
  const clips = [
    { name: 'noise.mp4', labels: [], source: { $case: 'media' as const, value: Buffer.from('not media') } },
  ];
  await assert.rejects(setting.client.predict(predictRequest({ clips })), (error: unknown) => {
    assert.ok(error instanceof FaultlineError);
    assert.equal(error.code, 'invalid_argument');
    assert.equal(error.violations[0]?.field, 'clips[0]');
    assert.match(
      error.message,
      /clip 'noise.mp4', for victim 'weak': features service: media: is neither JSON nor media/,
    );
    return true;
  });
  await assert.rejects(setting.client.predict(predictRequest({})), { message: /clips: has 0 entries; give 1 to 256/ });
  const twice = ['clip-1', 'clip-1'].map((value) => ({
    name: '',
    labels: [],
    source: { $case: 'clipId' as const, value },
  }));
  await assert.rejects(setting.client.predict(predictRequest({ clips: twice })), { message: /'clip-1' is used twice/ });
  await assert.rejects(setting.client.predict(predictRequest({ clips: twice, set: 'other' })), {
    message: /set: 'other' is not a known clip set/,
  });
});

// Closes a victim: the last of these tests.
test('victims are listed with what they are, and with the reason when they do not answer', async () => {
  await setting.inference.get('weak')?.close({ drainTimeoutMs: 0 });
  const { victims } = await setting.client.listVictims({ context: undefined });
  const { VICTIM_STATE_REACHABLE, VICTIM_STATE_UNREACHABLE } = score.VictimState;
  assert.deepEqual(
    victims.map(({ name, state }) => [name, state]),
    [
      ['strong', VICTIM_STATE_REACHABLE],
      ['weak', VICTIM_STATE_UNREACHABLE],
    ],
  );
  const [strong, weak] = victims;
  assert.equal(strong?.card?.title, 'strong, linear');
  assert.deepEqual([strong?.reason, strong?.runtime, strong?.maxExamples], ['', 'linear 1', 64]);
  assert.equal(strong?.address, setting.addresses.victims.strong);
  assert.match(weak?.reason ?? '', /victim 'weak': inference service: /);
  assert.equal(weak?.card, undefined);
});
