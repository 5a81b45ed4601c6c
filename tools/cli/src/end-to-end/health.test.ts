import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connect, HealthService, ServingStatus } from '@faultline/service-kit';
import { CALLER } from '../campaign/caller.ts';
import { readCampaignFile } from '../campaign/campaign-file.ts';
import { campaignEnd } from '../campaign/watch-campaign.ts';
import { Session } from '../session.ts';
import { writeEndpoint } from '../stack/endpoint.ts';
import { Stack } from '../stack/stack.ts';
import { Workbench } from '../testing/workbench.ts';

const MANY_STEPS = 1_000;
const CHECKS = 40;

/** What health promises while a loop computes. Of all checks it is held against the median: a busy machine may hold up any one. */
const HEALTHY_MS = 50;

test('health answers while a loop computes', async () => {
  await using bench = await Workbench.create();
  const { runsDir, victimsDir } = bench;
  await using stack = await Stack.start({ runsDir, victimsDir });
  await writeEndpoint(runsDir, {
    score: stack.scoreAddress,
    pid: process.pid,
    traceDir: bench.root,
    logDir: stack.logDir,
  });
  const enough = new AbortController();
  await using session = await Session.open({ runsDir, needs: 'attacks', signal: enough.signal });
  const computing = Promise.withResolvers<void>();
  const specification = await readCampaignFile(await bench.campaign(MANY_STEPS));
  const { campaignId } = await session.score.startCampaign({ context: CALLER, specification });
  const campaign = campaignEnd(session, campaignId, ({ activity }) => {
    if (activity.includes('linf-both')) computing.resolve();
  });
  const ended = assert.rejects(campaign, { code: 'cancelled' });
  await Promise.race([computing.promise, campaign]);
  using health = connect(HealthService, stack.victims.get('late') ?? '');
  const durations: number[] = [];
  for (let check = 0; check < CHECKS; check += 1) {
    const start = performance.now();
    const { status } = await health.check({ service: '' });
    durations.push(performance.now() - start);
    assert.equal(status, ServingStatus.SERVING);
  }
  enough.abort();
  await ended;
  const median = durations.sort((a, b) => a - b)[CHECKS / 2] ?? Number.NaN;
  assert.ok(median <= HEALTHY_MS, `the median health check took ${median} ms, the longest ${durations.at(-1)} ms`);
});
