import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { attack, type score } from '@faultline/contracts';
import type { Report, UniversalResult } from '@faultline/report';
import { linearSetting, startRequest, threatModel, watchToEnd } from '../test-support/linear-campaign.ts';

const { STOPPING_NEVER } = attack.Stopping;
const setting = await linearSetting();
/** Its perturbations are twice as large as asked for. */
const beyond = await linearSetting({ overshoot: 2 });
after(() => Promise.all([setting, beyond].map((one) => one[Symbol.asyncDispose]())));

const SCALES = [1, 3, 8];
const universal = (change: Partial<attack.ThreatModel> = {}) =>
  threatModel({
    name: 'universal',
    attack: 'universal',
    rungs: SCALES.map((scale) => ({ scale, stopping: STOPPING_NEVER })),
    craft: { choice: { $case: 'stratum', value: 'seen' } },
    ...change,
  });

async function run(
  models: attack.ThreatModel[],
  change: Partial<score.CampaignSpecification> = {},
  { client, runsDir } = setting,
): Promise<{ report: Report; results: UniversalResult[]; page: string }> {
  const { campaignId } = await client.startCampaign(
    startRequest({ victims: ['weak'], threatModels: models, ...change }),
  );
  const last = (await watchToEnd(client, campaignId)).at(-1);
  assert.equal(last?.summary?.error, '');
  const { reportJson } = await client.getCampaign({ context: undefined, campaignId });
  const report: Report = JSON.parse(reportJson);
  const page = await readFile(join(runsDir, campaignId, 'report.html'), 'utf8');
  return { report, results: report.victims.flatMap(({ universals }) => universals), page };
}

test('one perturbation, crafted on seen clips, is judged on unseen ones by its closed form, beside noise of its norm', async () => {
  const { report, results, page } = await run([threatModel(), universal()], { keepAdversarial: true });
  const [result] = results;
  assert.ok(result);
  assert.deepEqual([result.crafted.length, result.tested.length, result.leftOut], [6, 6, 0]);
  const clips = report.campaign.clipSet.clips;
  assert.ok(result.tested.every((id) => clips.find((clip) => clip.id === id)?.stratum === 'unseen'));
  const margins = clips.flatMap(({ id }, index) =>
    result.tested.includes(id) ? [report.victims[0]?.cleanMargins[index] ?? Number.NaN] : [],
  );
  const share = (budget: number) => margins.filter((margin) => margin > budget).length / margins.length;
  assert.equal(result.clean.robustAccuracy, share(0));
  for (const [index, { norms, applied, attack: figures, noise, rejection, perturbation }] of result.rungs.entries()) {
    const epsilon = 0.1 * (SCALES[index] ?? Number.NaN);
    assert.ok(Math.abs((norms.waveform ?? 0) / epsilon - 1) < 1e-5 && (norms.waveform ?? 1) <= epsilon);
    assert.ok(Math.abs((applied.waveform ?? 0) - (norms.waveform ?? 0)) < 1e-6);
    // The gain of the weak victim is 1: each logit falls by epsilon.
    assert.equal(figures.robustAccuracy, share(epsilon));
    assert.ok(noise.robustAccuracy >= figures.robustAccuracy);
    assert.ok(figures.interval !== null && rejection === null && perturbation?.waveform?.sizeBytes === 128);
  }
  assert.ok(share(0.8) < share(0.1), 'the ladder spans something');
  assert.equal(result.cost.attack.gradientExamples, 3 * 5 * 6);
  assert.equal(result.cost.verification.forwardExamples, 6 * (1 + 2 * 3));
  assert.match(page, /One perturbation for all clips/);
  assert.equal(report.campaign.threatModels.length, 1, 'threat models of single clips stand by themselves');
});

test('beyond its budget the strict form does not count; of the accumulating form the norm is what counts', async () => {
  const legacy = universal({
    name: 'legacy',
    parameters: [{ name: 'form', value: { $case: 'choice', value: 'legacy' } }],
  });
  const { report, results, page } = await run([universal(), legacy], {}, beyond);
  assert.match(page, /2 threat models/);
  assert.match(page, /<dt>Attacks<\/dt><dd>universal: universal/);
  const spent = results.reduce((sum, { cost }) => sum + cost.attack.gradientExamples, 0);
  assert.ok(spent > 0 && page.includes(`<dd>${spent} gradient evaluations`));
  assert.doesNotMatch(page, /id="(trade-off|curves|assessment|flags|ladders|attacks)"/, 'no sections without content');
  const [strict, accumulated] = results;
  assert.deepEqual(report.campaign.threatModels, []);
  assert.deepEqual([strict?.form, accumulated?.form], ['strict', 'legacy']);
  assert.ok(strict?.rungs.every(({ rejection }) => rejection === 'over-budget'));
  assert.equal(strict?.rungs.at(-1)?.attack.robustAccuracy, strict?.clean.robustAccuracy);
  const last = accumulated?.rungs.at(-1);
  assert.ok(last?.rejection === null && last.attack.robustAccuracy < (accumulated?.clean.robustAccuracy ?? 0));
  assert.ok(Math.abs((last.norms.waveform ?? 0) - 1.6) < 1e-5 && Math.abs((last.epsilons.waveform ?? 0) - 0.8) < 1e-12);
});

test('a split without a side is refused, and so are searches', async () => {
  const asked = universal({ craft: { choice: { $case: 'stratum', value: 'heard' } } });
  await assert.rejects(setting.client.startCampaign(startRequest({ threatModels: [asked] })), {
    code: 'invalid_argument',
    message: /threatModels\[0\]\.craft: leaves no clip to craft with, of 12; choose more clips, or another split/,
  });
  await assert.rejects(setting.client.startCampaign(startRequest({ threatModels: [universal({ rungs: [] })] })), {
    message: /threatModels\[0\]\.rungs: is empty; one perturbation for all clips needs budgets/,
  });
});
