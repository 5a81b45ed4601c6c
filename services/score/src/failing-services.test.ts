import assert from 'node:assert/strict';
import { test } from 'node:test';
import { score } from '@faultline/contracts';
import type { Report, ThreatModelResult } from '@faultline/report';
import { setLogLevel } from '@faultline/service-kit';
import { linearSetting, startRequest, watchToEnd } from './test-support/linear-campaign.ts';
import type { AttackFaults } from './test-support/linear-services.ts';

// Failed campaigns are what these tests are about; their log lines are not news.
setLogLevel('error');

const { CAMPAIGN_STATE_FAILED } = score.CampaignState;

async function weakResult(faults: AttackFaults): Promise<ThreatModelResult> {
  await using setting = await linearSetting(faults);
  const { campaignId } = await setting.client.startCampaign(startRequest({ victims: ['weak'] }));
  await watchToEnd(setting.client, campaignId);
  const { reportJson } = await setting.client.getCampaign({ context: undefined, campaignId });
  const report: Report = JSON.parse(reportJson);
  const result = report.victims[0]?.threatModels[0];
  assert.ok(result !== undefined);
  return result;
}

const rungsOf = (result: ThreatModelResult) => result.attacks.flatMap(({ rungs }) => rungs);
const flagsOf = (result: ThreatModelResult) => result.flags.map((flag) => flag.code);

test('candidates over budget are rejected by their float64 norms, however successful', async () => {
  const result = await weakResult({ overshoot: 1.001 });
  assert.ok(rungsOf(result).every((rung) => rung.verified === 0));
  assert.ok(rungsOf(result).some((rung) => rung.overBudget > 0));
  assert.equal(result.headline.robustnessScore, 1);
  assert.ok(flagsOf(result).includes('over-budget'));
});

test('what an attack believes counts for nothing: refuted candidates are flagged', async () => {
  const honest = await weakResult({});
  const boasting = await weakResult({ optimism: 10 });
  assert.ok(rungsOf(boasting).some((rung) => rung.refuted > 0));
  assert.ok(flagsOf(boasting).includes('refuted'));
  assert.ok(!flagsOf(honest).includes('refuted'));
  assert.ok((boasting.headline.robustnessScore ?? 0) >= (honest.headline.robustnessScore ?? 1));
});

test('a victim that dies in the middle fails the campaign with its name', async () => {
  const { promise: reached, resolve } = Promise.withResolvers<void>();
  const { promise: dead, resolve: died } = Promise.withResolvers<void>();
  await using setting = await linearSetting({
    before: async (request) => {
      if (request.victim !== 'weak') return;
      resolve();
      await dead;
    },
  });
  const { campaignId } = await setting.client.startCampaign(startRequest());
  const watching = watchToEnd(setting.client, campaignId);
  await reached;
  await setting.inference.get('weak')?.close({ drainTimeoutMs: 0 });
  died();
  const summary = (await watching).at(-1)?.summary;
  assert.equal(summary?.state, CAMPAIGN_STATE_FAILED);
  assert.match(summary?.error ?? '', /victim 'weak'/);
});

test('a campaign that was running when its service stopped has failed, and says so', async () => {
  const { promise: never } = Promise.withResolvers<void>();
  await using setting = await linearSetting({ before: () => never });
  const { campaignId } = await setting.client.startCampaign(startRequest());
  await setting.restart();
  const { summary, specification } = await setting.client.getCampaign({ context: undefined, campaignId });
  assert.equal(summary?.state, CAMPAIGN_STATE_FAILED);
  assert.deepEqual(specification, startRequest().specification, 'what was asked for is kept');
  assert.match(summary?.error ?? '', /the score service was stopped/);
});
