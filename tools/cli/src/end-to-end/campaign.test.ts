import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { comparablePart, type Report } from '@faultline/report';
import { FaultlineProcess, gone } from '../testing/faultline-process.ts';
import { type ReceivedSpan, startOtlpReceiver } from '../testing/otlp-receiver.ts';
import { Workbench } from '../testing/workbench.ts';

// The command as users run it, with the very processes of `npm start`, on a tiny campaign.

const STEPS = 3;
const STOP_MS = 15_000;

let bench: Workbench;
before(async () => {
  bench = await Workbench.create();
  await bench.editVictim('edited');
});
after(() => bench[Symbol.asyncDispose]());

/** The report of the first run, which starts services of its own and sends its spans to a collector. */
let firstRun:
  | Promise<{ report: Report; spans: readonly ReceivedSpan[]; html: string; trace: readonly { traceId: string }[] }>
  | undefined;

function runOnce(): NonNullable<typeof firstRun> {
  firstRun ??= (async () => {
    using receiver = await startOtlpReceiver();
    using command = new FaultlineProcess(['campaign', 'run', await bench.campaign(STEPS), '--json', ...bench.folders], {
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
    });
    assert.equal(await command.ended, 0, command.stderr);
    const folder = await bench.newestRun();
    const trace = JSON.parse(await readFile(join(folder, 'trace.json'), 'utf8'));
    const html = await readFile(join(folder, 'report.html'), 'utf8');
    assert.deepEqual(JSON.parse(command.stdout), JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')));
    return { report: JSON.parse(command.stdout), spans: receiver.spans, html, trace };
  })();
  return firstRun;
}

test('a campaign starts its services, reports, and leaves files but no process', async () => {
  const { report, spans, html } = await runOnce();
  assert.deepEqual(report.victims.map(({ name }) => name).sort(), ['edited', 'late']);
  assert.equal(report.tradeOff.length, 2);
  assert.match(html, /<html/i);
  const pids = new Set(spans.map(({ instance }) => Number(instance.split('-').at(-1))));
  assert.equal(pids.size, 6, 'the command, features, attack, score and an inference process for each victim');
  await gone([...pids], STOP_MS);
});

test('one edited weight changes the table', async () => {
  const { report } = await runOnce();
  const [edited, late] = ['edited', 'late'].map((name) => report.victims.find((victim) => victim.name === name));
  assert.notEqual(edited?.sha256, late?.sha256);
  assert.notDeepEqual(edited?.cleanMargins, late?.cleanMargins);
  const figures = report.tradeOff.map(({ victim: _, ...row }) => row);
  assert.notDeepEqual(figures[0], figures[1]);
});

const RPC = 'faultline';
const EXTRACT = `${RPC}.features.v1alpha1.FeaturesService/Extract`;
const ATTACK = `${RPC}.attack.v1alpha1.AttackService/Attack`;
const OPTIMIZE = `${RPC}.inference.v1alpha1.InferenceService/Optimize`;
const PREDICT = `${RPC}.inference.v1alpha1.InferenceService/Predict`;
const START = `${RPC}.score.v1alpha1.ScoreService/StartCampaign`;

test('one request is one trace over all processes, each call linked from its client to its server', async () => {
  const { spans, report } = await runOnce();
  assert.deepEqual([...new Set(spans.map(({ traceId }) => traceId))], [report.run.traceId]);
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const roots = spans.filter(({ parentSpanId }) => !byId.has(parentSpanId));
  assert.deepEqual(
    roots.map(({ service, name, parentSpanId }) => [service, name, parentSpanId]),
    [['faultline-cli', 'faultline campaign run', '']],
  );
  for (const [from, to, name] of [
    ['cli', 'score', START],
    ['score', 'features', EXTRACT],
    ['score', 'attack', ATTACK],
    ['score', 'inference', PREDICT],
    ['attack', 'inference', OPTIMIZE],
  ]) {
    const servers = spans.filter((span) => span.kind === 'SERVER' && span.name === name);
    assert.ok(servers.length > 0, `no server span ${name}`);
    for (const { service, parentSpanId } of servers) {
      const client = byId.get(parentSpanId);
      assert.deepEqual([client?.service, client?.kind, client?.name], [`faultline-${from}`, 'CLIENT', name]);
      assert.equal(service, `faultline-${to}`);
    }
  }
});

test('an attack is reached from the request by way of score and attack', async () => {
  const { spans } = await runOnce();
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const loop = spans.find((span) => span.kind === 'SERVER' && span.name === OPTIMIZE);
  const services: string[] = [];
  for (let span = loop; span !== undefined; span = byId.get(span.parentSpanId)) {
    if (services.at(-1) !== span.service) services.push(span.service);
  }
  assert.deepEqual(services, ['faultline-inference', 'faultline-attack', 'faultline-score', 'faultline-cli']);
});

test('trace.json holds the spans that the collector got', async () => {
  const { spans, trace } = await runOnce();
  assert.equal(trace.length, spans.length);
});

test('services that are up serve campaigns; the same seed gives the same report', async () => {
  const { report } = await runOnce();
  using up = new FaultlineProcess(['up', ...bench.folders]);
  await up.written(/Ctrl-C stops them/);
  const services = up.services();
  assert.equal(services.length, 5);

  using second = new FaultlineProcess(['up', ...bench.folders]);
  assert.equal(await second.ended, 2);
  assert.match(second.stderr, /services are up already/);

  const runs = bench.folders.slice(0, 2);
  using run = new FaultlineProcess(['campaign', 'run', await bench.campaign(STEPS), ...runs]);
  assert.equal(await run.ended, 0, run.stderr);
  assert.match(run.stdout, /linf-both \(linf/);
  assert.deepEqual(up.services(), services, 'they stay up');

  using list = new FaultlineProcess(['campaign', 'list', '--json', ...runs]);
  assert.equal(await list.ended, 0, list.stderr);
  const campaigns: { campaignId: string; state: string }[] = JSON.parse(list.stdout);
  assert.deepEqual(
    campaigns.map(({ state }) => state),
    ['succeeded', 'succeeded'],
  );
  assert.equal(campaigns[1]?.campaignId, report.run.id);

  using again = new FaultlineProcess(['report', campaigns[0]?.campaignId ?? '', '--json', ...runs]);
  assert.equal(await again.ended, 0, again.stderr);
  assert.deepEqual(comparablePart(JSON.parse(again.stdout)), comparablePart(report));

  up.signal('SIGINT');
  await gone(
    services.map(({ pid }) => pid),
    STOP_MS,
  );
  assert.equal((await readdir(bench.runsDir)).includes('endpoint.json'), false);
});
