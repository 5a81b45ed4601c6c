import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { score } from '@faultline/contracts';
import { connect, type SpanRecord } from '@faultline/service-kit';
import { CLIPS, type LinearSetting, linearSetting, startRequest, watchToEnd } from './test-support/linear-campaign.ts';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

function startProcess(setting: LinearSetting, runsDir: string, traceDir: string): ChildProcess {
  const env = {
    PATH: process.env.PATH,
    FAULTLINE_VICTIMS: JSON.stringify(setting.addresses.victims),
    FAULTLINE_FEATURES_ADDRESS: setting.addresses.features,
    FAULTLINE_ATTACK_ADDRESS: setting.addresses.attack,
    FAULTLINE_RUNS_DIR: runsDir,
    FAULTLINE_CLIPS_DIR: setting.clipsDir,
    FAULTLINE_TRACE_DIR: traceDir,
  };
  return spawn(process.execPath, [MAIN], { env, stdio: ['ignore', 'pipe', 'pipe'] });
}

async function readyAddress(child: ChildProcess): Promise<string> {
  assert.ok(child.stdout !== null);
  for await (const line of createInterface({ input: child.stdout })) {
    const { ready } = JSON.parse(line);
    assert.equal(ready.service, 'score');
    return ready.address;
  }
  throw new Error('the service ended before it was ready');
}

async function spansIn(folder: string): Promise<SpanRecord[]> {
  const files = await readdir(folder);
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return texts.flatMap((text) =>
    text
      .trim()
      .split('\n')
      .map((line): SpanRecord => JSON.parse(line)),
  );
}

async function exitOf(child: ChildProcess): Promise<[code: number | null, signal: string | null]> {
  const [code, signal] = await once(child, 'exit');
  return [code, signal];
}

test('the process keeps its folder to itself, survives being killed, writes one trace a campaign, and drains', async () => {
  let gate: Promise<void> = Promise.resolve();
  let isGated = false;
  const reached = Promise.withResolvers<void>();
  await using setting = await linearSetting({
    before: async (_request, signal) => {
      if (isGated) reached.resolve();
      await Promise.race([gate, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
    },
  });
  const [runsDir, traceDir] = [join(setting.runsDir, 'of-process'), join(setting.runsDir, 'traces')];
  const first = startProcess(setting, runsDir, traceDir);
  const children = [first];
  try {
    const client = connect(score.ScoreServiceService, await readyAddress(first));
    const { campaignId } = await client.startCampaign(startRequest({ victims: ['weak'] }));
    const done = (await watchToEnd(client, campaignId)).at(-1);
    assert.equal(done?.summary?.state, score.CampaignState.CAMPAIGN_STATE_SUCCEEDED);
    const before = await client.getCampaign({ context: undefined, campaignId });

    const refused = startProcess(setting, runsDir, traceDir);
    children.push(refused);
    const said: string[] = [];
    refused.stderr?.on('data', (chunk) => said.push(String(chunk)));
    assert.deepEqual(await once(refused, 'close'), [1, null]);
    assert.match(said.join(''), new RegExp(`in use by process ${first.pid}; stop it`));

    gate = new Promise(() => {});
    isGated = true;
    const { campaignId: killed } = await client.startCampaign(startRequest({ victims: ['weak'] }));
    await reached.promise;
    const died = exitOf(first);
    first.kill('SIGKILL');
    assert.deepEqual(await died, [null, 'SIGKILL']);
    client.close();

    const second = startProcess(setting, runsDir, traceDir);
    children.push(second);
    const again = connect(score.ScoreServiceService, await readyAddress(second));
    const { summary } = await again.getCampaign({ context: undefined, campaignId: killed });
    assert.equal(summary?.state, score.CampaignState.CAMPAIGN_STATE_FAILED);
    assert.match(summary?.error ?? '', /the score service ended while this campaign was running; start it again/);
    assert.deepEqual(await again.getCampaign({ context: undefined, campaignId }), before, 'reports survive');

    const running = await again.startCampaign(startRequest({ victims: ['weak'] }));
    const waiting = await again.startCampaign(startRequest({ victims: ['weak'] }));
    for (const { campaignId: id } of [waiting, running])
      await again.cancelCampaign({ context: undefined, campaignId: id });
    const cancelled = await Promise.all(
      [running, waiting].map(({ campaignId: id }) => again.getCampaign({ context: undefined, campaignId: id })),
    );
    again.close();
    const drained = exitOf(second);
    second.kill('SIGTERM');
    assert.deepEqual(await drained, [0, null]);

    const all = await spansIn(traceDir);
    const ofTrace = (traceId: string | undefined) => all.filter((span) => span.traceId === traceId);
    const spans = ofTrace(done?.summary?.traceId);
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const parents = new Map(spans.map((span) => [span.name, byId.get(span.parentSpanId)?.name]));
    assert.equal(parents.get('score.campaign'), 'faultline.score.v1alpha1.ScoreService/StartCampaign');
    for (const name of ['score.prepare', 'score.clean', 'score.attack', 'score.report']) {
      assert.equal(parents.get(name), 'score.campaign', name);
    }
    assert.equal(parents.get('score.verify'), 'score.attack');
    assert.equal(parents.get('faultline.attack.v1alpha1.AttackService/Attack'), 'score.attack');
    assert.equal(parents.get('faultline.features.v1alpha1.FeaturesService/Extract'), 'score.prepare');
    const prepare = spans.find(({ name }) => name === 'score.prepare');
    assert.deepEqual(
      [prepare?.attributes['faultline.cache.hits'], prepare?.attributes['faultline.cache.misses']],
      [0, 2 * CLIPS],
    );
    for (const { summary: one } of cancelled) {
      assert.equal(one?.state, score.CampaignState.CAMPAIGN_STATE_CANCELLED);
      const campaign = ofTrace(one?.traceId).find(({ name }) => name === 'score.campaign');
      assert.deepEqual([campaign?.status, campaign?.attributes['error.type']], ['ERROR', 'cancelled']);
    }
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
});
