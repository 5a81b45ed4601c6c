import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FolderStore, loadTensor } from '@faultline/artefacts';
import { attack, decodeTensor, score } from '@faultline/contracts';
import { CLIPS, clipMedia, type LinearSetting, linearSetting, threatModel } from '../test-support/linear-campaign.ts';
import { SAMPLES } from '../test-support/linear-victim.ts';

const { ADVERSARIAL_RETURN_TENSORS, ADVERSARIAL_RETURN_REFERENCES } = score.AdversarialReturn;
const NEVER = attack.Stopping.STOPPING_NEVER;
const SCALES = [1, 3, 8];
/** Of the victims on the label of each clip. */
const GAINS = { strong: 2, weak: 1 };

let setting: LinearSetting;
/** Attacks that wait until they are stopped. */
let isEndless = false;

before(async () => {
  setting = await linearSetting({
    before: async (_, signal) => {
      if (!isEndless) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
      signal.throwIfAborted();
    },
  });
  await setting.client.listCampaigns({ context: undefined, pageSize: 0, pageToken: '' });
});
after(() => setting[Symbol.asyncDispose]());

const universal = (change: Partial<attack.ThreatModel> = {}) =>
  threatModel({
    name: 'universal',
    attack: 'universal',
    rungs: SCALES.map((scale) => ({ scale, stopping: NEVER })),
    craft: { choice: { $case: 'stratum', value: 'seen' } },
    ...change,
  });

const allClips = Array.from(
  { length: CLIPS },
  (_, clip) => ({ source: { $case: 'clipId', value: `clip-${clip}` } }) as const,
);

async function scored(change: Partial<score.ScoreRequest>, deadlineMs?: number) {
  const universals: score.UniversalScore[] = [];
  const scores: score.ClipScore[] = [];
  const request = score.ScoreRequest.fromPartial({ clips: allClips, threatModels: [universal()], seed: 7, ...change });
  for await (const { kind } of setting.client.score(request, deadlineMs === undefined ? {} : { deadlineMs })) {
    if (kind?.$case === 'universal') universals.push(kind.value);
    if (kind?.$case === 'score') scores.push(kind.value);
    if (kind?.$case === 'summary') return { universals, scores, summary: kind.value };
  }
  return assert.fail('no summary');
}

test('one perturbation is crafted on some clips of a request and judged on the others by its closed form', async () => {
  const asked = { threatModels: [threatModel(), universal()], adversarial: ADVERSARIAL_RETURN_TENSORS };
  const { universals, scores, summary } = await scored(asked);
  assert.deepEqual([scores.length, universals.length], [2 * CLIPS, 2]);
  const planned = 2 * CLIPS + 2;
  assert.deepEqual([summary.complete, summary.planned, summary.finished], [true, planned, planned]);
  for (const { victim, crafted, tested, leftOut, clean, rungs, accumulates } of universals) {
    assert.deepEqual(crafted, ['clip-1', 'clip-3', 'clip-5', 'clip-7', 'clip-9', 'clip-11']);
    assert.deepEqual([tested.length, leftOut, accumulates], [6, [], false]);
    const margins = scores.flatMap((one) =>
      one.victim === victim && tested.includes(one.clip) ? [one.cleanMargin ?? Number.NaN] : [],
    );
    // Every sample is lower by epsilon, so that each logit falls by gain x epsilon.
    const gain = victim === 'strong' ? GAINS.strong : GAINS.weak;
    const share = (epsilon: number) => margins.filter((margin) => margin > gain * epsilon).length / margins.length;
    assert.equal(clean?.robustAccuracy, share(0));
    assert.ok(share(0.8) < share(0.1), 'the ladder spans something');
    for (const [index, { scale, variables, rejection, attack: figures, noise, reachedByPass }] of rungs.entries()) {
      const [waveform] = variables;
      assert.ok(waveform?.perturbation !== undefined && figures !== undefined && noise !== undefined);
      const { epsilon, norm, applied } = waveform;
      assert.deepEqual([waveform.variable, scale, epsilon], ['waveform', SCALES[index], 0.1 * scale]);
      assert.ok(norm <= epsilon && norm > epsilon * 0.999 && Math.abs(applied - norm) < 1e-6);
      assert.equal(figures.robustAccuracy, share(epsilon));
      assert.ok(figures.robustAccuracy <= noise.robustAccuracy);
      assert.deepEqual([rejection, reachedByPass], [0, [0.5, 1]]);
      const { dims, data } = decodeTensor(waveform.perturbation);
      assert.deepEqual([dims, data.length], [[1, SAMPLES], SAMPLES]);
      assert.ok(data instanceof Float32Array && data.every((value) => Math.abs(value + epsilon) < 1e-6));
    }
  }
});

test('perturbations come as references where asked for, and not at all where nothing is said', async () => {
  const of = async (adversarial?: score.AdversarialReturn) => {
    const { universals } = await scored({ victims: ['weak'], ...(adversarial === undefined ? {} : { adversarial }) });
    return universals[0]?.rungs[1]?.variables[0]?.perturbation;
  };
  assert.equal(await of(), undefined);
  const [raw, referred] = [await of(ADVERSARIAL_RETURN_TENSORS), await of(ADVERSARIAL_RETURN_REFERENCES)];
  assert.ok(raw !== undefined && referred?.value?.$case === 'reference');
  const store = await FolderStore.open(join(setting.runsDir, 'artefacts'));
  assert.deepEqual(await loadTensor(store, referred), decodeTensor(raw));
});

test('files without labels stand for themselves; those in which nothing is recognised are left out', async () => {
  const media = (content: unknown) =>
    ({ source: { $case: 'media', value: Buffer.from(JSON.stringify(content)) } }) as const;
  const silent = { waveform: Array(32).fill(0), frames: Array(24).fill(0) };
  const clips = [
    ...[3, 4, 5, 6, 7, 8].map((clip) => ({ ...media(clipMedia(clip)), name: `loud-${clip}` })),
    { ...media(silent), name: 'silent' },
  ];
  const asked = { victims: ['weak'], threatModels: [universal({ craft: undefined })] };
  const { universals } = await scored({ ...asked, ...score.ScoreRequest.fromPartial({ clips }), ...asked, seed: 7 });
  const [found] = universals;
  assert.deepEqual(found?.leftOut, ['silent']);
  assert.equal((found?.crafted.length ?? 0) + (found?.tested.length ?? 0), 6);
});

test('what the time is not enough for is told', async () => {
  isEndless = true;
  const cut = await scored({ victims: ['weak'] }, 1500);
  isEndless = false;
  assert.deepEqual([cut.universals, cut.summary.complete, cut.summary.planned], [[], false, 1]);
  assert.match(cut.summary.shortfall, /the time was enough for 0 of 1 scores/);
});

test('what does not fit is refused with the remedy', async () => {
  const refused = (change: Partial<score.ScoreRequest>, message: RegExp) =>
    assert.rejects(scored(change), { code: 'invalid_argument', message });
  await refused(
    { clips: score.ScoreRequest.fromPartial({ clips: allClips.slice(0, 1) }).clips },
    /craft: leaves no clip to craft with, of 1/,
  );
  await refused(
    { writeBack: ['lossless'] },
    /writeBack: is given beside attack 'universal'; .* in a call of their own/,
  );
  await refused(
    { threatModels: [universal({ rungs: [] })] },
    /rungs: is empty; one perturbation for all clips needs budgets/,
  );
});
