import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { score } from '@faultline/contracts';
import { comparablePart, type Report } from '@faultline/report';
import { type LinearSetting, linearSetting, startRequest, watchToEnd } from './test-support/linear-campaign.ts';

let setting: LinearSetting;

before(async () => {
  setting = await linearSetting();
});

after(() => setting[Symbol.asyncDispose]());

async function runToReport(request: score.StartCampaignRequest): Promise<Report> {
  const { campaignId } = await setting.client.startCampaign(request);
  const last = (await watchToEnd(setting.client, campaignId)).at(-1);
  assert.equal(last?.summary?.error, '');
  assert.equal(last?.summary?.state, score.CampaignState.CAMPAIGN_STATE_SUCCEEDED);
  const { reportJson } = await setting.client.getCampaign({ context: undefined, campaignId });
  return JSON.parse(reportJson);
}

test('a campaign finds the closed-form critical budgets', async () => {
  const report = await runToReport(startRequest());
  console.log(JSON.stringify(report.tradeOff, undefined, 1).slice(0, 3000), report.victims[0]?.fusionCheck);
});
