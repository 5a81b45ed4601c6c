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
import { type LinearSetting, linearSetting, startRequest, watchToEnd } from './test-support/linear-campaign.ts';

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

test('the process serves campaigns, keeps its folder to itself, writes one trace, and drains', async () => {
  await using setting = await linearSetting();
  const [runsDir, traceDir] = [join(setting.runsDir, 'of-process'), join(setting.runsDir, 'traces')];
  const child = startProcess(setting, runsDir, traceDir);
  const exited = once(child, 'exit');
  try {
    const client = connect(score.ScoreServiceService, await readyAddress(child));
    const { campaignId } = await client.startCampaign(startRequest({ victims: ['weak'] }));
    const last = (await watchToEnd(client, campaignId)).at(-1);
    assert.equal(last?.summary?.state, score.CampaignState.CAMPAIGN_STATE_SUCCEEDED);

    const second = startProcess(setting, runsDir, traceDir);
    const said: string[] = [];
    second.stderr?.on('data', (chunk) => said.push(String(chunk)));
    assert.deepEqual(await once(second, 'close'), [1, null]);
    assert.match(said.join(''), new RegExp(`in use by process ${child.pid}; stop it`));

    client.close();
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);

    const spans = (await spansIn(traceDir)).filter((span) => span.traceId === last?.summary?.traceId);
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const parents = new Map(spans.map((span) => [span.name, byId.get(span.parentSpanId)?.name]));
    assert.equal(parents.get('score.campaign'), 'faultline.score.v1alpha1.ScoreService/StartCampaign');
    for (const name of ['score.prepare', 'score.clean', 'score.attack', 'score.report']) {
      assert.equal(parents.get(name), 'score.campaign', name);
    }
    assert.equal(parents.get('score.verify'), 'score.attack');
    assert.equal(parents.get('faultline.attack.v1alpha1.AttackService/Attack'), 'score.attack');
    assert.equal(parents.get('faultline.features.v1alpha1.FeaturesService/Extract'), 'score.prepare');
  } finally {
    child.kill('SIGKILL');
  }
});
