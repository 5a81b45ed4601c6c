import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { attack, score } from '@faultline/contracts';
import { decodeMedia } from '@faultline/media';
import type { Report } from '@faultline/report';
import {
  type LinearSetting,
  linearSetting,
  startRequest,
  threatModel,
  VICTIMS,
  watchToEnd,
} from '../test-support/linear-campaign.ts';
import { FRAMES, linearLogits, PIXELS, SAMPLES } from '../test-support/linear-victim.ts';

const { WRITE_BACK_OUTCOME_SURVIVED, WRITE_BACK_OUTCOME_VANISHED, WRITE_BACK_OUTCOME_FORM_ALONE } =
  score.WriteBackOutcome;
const [STRONG] = VICTIMS;

let setting: LinearSetting;
before(async () => {
  setting = await linearSetting();
});
after(() => setting[Symbol.asyncDispose]());

const ladder = (...scales: number[]) => scales.map((scale) => ({ scale, stopping: attack.Stopping.STOPPING_NEVER }));

async function scored(change: Partial<score.ScoreRequest>): Promise<score.ClipScore[]> {
  const request = score.ScoreRequest.fromPartial({
    victims: ['strong'],
    clips: [{ source: { $case: 'clipId', value: 'clip-0' } }],
    threatModels: [threatModel({ rungs: ladder(0.5, 6, 8) })],
    writeBack: ['lossless'],
    ...change,
  });
  const scores: score.ClipScore[] = [];
  for await (const { kind } of setting.client.score(request)) if (kind?.$case === 'score') scores.push(kind.value);
  return scores;
}

/** A clip of label 'dog' with pixels of this level and sound that leaves this margin for the victim "strong". */
function barelyOn(margin: number, pixel: number) {
  const level = (0.25 + margin) / 2;
  const values = (count: number, value: number) =>
    Array.from({ length: count }, (_, index) => (index % 3 === 0 ? value : 0));
  const media = { waveform: values(SAMPLES, level - pixel / 255), frames: values(PIXELS, pixel) };
  const bytes = Buffer.from(JSON.stringify(media));
  return { clips: [{ name: 'barely', source: { $case: 'media', value: bytes } as const, labels: ['dog'] }] };
}

test('a lossless file holds the quantised example, within the budget, and its fresh margin is that of its tensors', async () => {
  const [one] = await scored({ writtenMedia: true });
  assert.equal(one?.criticalScale, 6);
  const [written, ...others] = one.written;
  assert.ok(written !== undefined && STRONG !== undefined);
  assert.deepEqual(others, [], 'the first that survives is the last that is tried');
  assert.deepEqual([written.form, written.scale, written.outcome], ['lossless', 6, WRITE_BACK_OUTCOME_SURVIVED]);
  const [variable] = written.variables;
  assert.ok(variable !== undefined && variable.writtenNorm <= variable.epsilon && variable.kept > 0.9);
  assert.ok(variable.writtenNorm > 0.999 * variable.epsilon);
  assert.equal(variable.decodedNorm, variable.writtenNorm);
  assert.equal(written.bytes, written.media.length);
  assert.equal(written.container, 'mkv');

  const [sound, pictures] = await decodeMedia(written.media, [
    { kind: 'waveform', sampleRateHz: 16_000, samples: SAMPLES },
    { kind: 'frames', frameRateHz: 4, ...FRAMES },
  ]);
  const pixels = Float32Array.from(pictures?.data ?? [], (level) => level / 255);
  const logits = linearLogits(STRONG, Float32Array.from(sound?.data ?? []), pixels);
  assert.ok(Math.abs((logits[0] ?? 0) - 0.25 - (written.margin ?? 0)) < 1e-6);
});

test('files come only where they are asked for; without forms nothing is written', async () => {
  const [quiet] = await scored({});
  assert.deepEqual([quiet?.written.length, quiet?.written[0]?.media.length], [1, 0]);
  const [none] = await scored({ writeBack: [] });
  assert.deepEqual(none?.written, []);
});

test('a budget below one 8-bit step vanishes, on both sides of the step', async () => {
  const frames = (rho: number, ...scales: number[]) => ({
    ...barelyOn(0.0002, 51),
    threatModels: [
      threatModel({
        variables: [attack.VariableBudget.fromPartial({ variable: 'frames', rho })],
        rungs: ladder(...scales),
      }),
    ],
  });
  const [below] = await scored(frames(0.003, 1));
  const [vanished] = below?.written ?? [];
  assert.equal(below?.criticalScale, 1, 'the attack itself succeeds');
  assert.deepEqual(
    [vanished?.outcome, vanished?.margin, vanished?.bytes, vanished?.variables[0]?.kept],
    [WRITE_BACK_OUTCOME_VANISHED, undefined, 0, 0],
  );
  assert.ok((vanished?.variables[0]?.epsilon ?? 1) < (vanished?.variables[0]?.step ?? 0));
  const [above] = await scored(frames(1 / 255, 0.5, 1.01));
  assert.deepEqual(
    above?.written.map(({ scale, outcome }) => [scale, outcome]),
    [
      [0.5, WRITE_BACK_OUTCOME_VANISHED],
      [1.01, WRITE_BACK_OUTCOME_SURVIVED],
    ],
  );
});

test('a form that switches the clean clip off by itself says nothing about the attack', async () => {
  // Single coloured pixels, and one colour for four pixels in the file.
  const [one] = await scored({ ...barelyOn(0.01, 200), writeBack: ['h264:20k'] });
  const [written, ...others] = one?.written ?? [];
  assert.deepEqual([written?.outcome, others], [WRITE_BACK_OUTCOME_FORM_ALONE, []]);
  assert.ok((written?.cleanMargin ?? 1) < 0);
});

test('forms that cannot be are refused, each with its field', async () => {
  const refused = async (change: Partial<score.ScoreRequest>, message: RegExp) =>
    assert.rejects(scored(change), { code: 'invalid_argument', message });
  await refused({ writeBack: ['lossless', 'h263:60k'] }, /writeBack\[1\]: 'h263' is no codec/);
  await refused({ writeBack: ['aac:24k', 'aac:24000'] }, /writeBack: names 'aac:24k' twice/);
  await refused({ writeBack: Array(9).fill('lossless') }, /writeBack: has 9 forms; give at most 8/);
});

test('a campaign writes the best verified example of each clip in each form, and tells what became of them', async () => {
  const request = startRequest({
    victims: ['weak'],
    clips: { set: '', limit: 4 },
    threatModels: [threatModel({ rungs: ladder(0.5, 6, 8) })],
    writeBack: ['lossless', 'aac:24k'],
  });
  const { campaignId } = await setting.client.startCampaign(request);
  await watchToEnd(setting.client, campaignId);
  const { reportJson, folder } = await setting.client.getCampaign({ context: undefined, campaignId });
  const report: Report = JSON.parse(reportJson);
  const [loud] = report.victims[0]?.threatModels ?? [];
  assert.deepEqual(
    loud?.writeBack?.map(({ form }) => form),
    ['lossless', 'aac:24k'],
  );
  for (const one of loud.writeBack ?? []) {
    const reached: boolean[] = loud.criticals.map(({ critical }) => critical !== null && critical > 0);
    assert.deepEqual(
      one.outcomes.map((outcome) => outcome !== null),
      reached,
      one.form,
    );
    assert.ok(one.written > 0 && one.survived + one.lost + one.vanished + one.formAlone === one.written, one.form);
  }
  assert.equal(loud.writeBack?.[0]?.lost, 0, 'a lossless file keeps what is larger than its steps');
  assert.equal(loud.adversarial, null, 'nothing is kept that was not asked for');
  assert.match(await readFile(join(folder, 'report.html'), 'utf8'), /As media files/);
  const plain = startRequest({ victims: ['weak'], clips: { set: '', limit: 4 } });
  const { campaignId: without } = await setting.client.startCampaign(plain);
  await watchToEnd(setting.client, without);
  const { reportJson: quietReport } = await setting.client.getCampaign({ context: undefined, campaignId: without });
  assert.equal(JSON.parse(quietReport).victims[0].threatModels[0].writeBack, null);
  await assert.rejects(setting.client.startCampaign(startRequest({ writeBack: ['h263:60k'] })), {
    code: 'invalid_argument',
    message: /specification.writeBack\[0\]: 'h263' is no codec/,
  });
});
