import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { decodeMedia } from '@faultline/media';
import { comparablePart, type Report } from '@faultline/report';
import { CommandHost, type Outcome } from '../testing/command-host.ts';
import { FaultlineProcess, gone } from '../testing/faultline-process.ts';
import { type ReceivedSpan, startOtlpReceiver } from '../testing/otlp-receiver.ts';
import { Workbench } from '../testing/workbench.ts';
import { CLIPS_DIR } from '../workspace.ts';

// The command as users run it, with the very processes of `npm start`, on a tiny campaign.

const STEPS = 3;

/** Steps that take far longer than the tests let them. */
const MANY_STEPS = 1_000;
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

/** The services that the tests from here on share. */
let up: FaultlineProcess | undefined;
let host: CommandHost | undefined;
after(() => {
  host?.[Symbol.dispose]();
  up?.[Symbol.dispose]();
});

async function servicesUp(): Promise<FaultlineProcess> {
  if (up === undefined) {
    up = new FaultlineProcess(['up', ...bench.folders]);
    await up.written(/Ctrl-C stops them/);
  }
  return up;
}

/** A command that uses the services that are up, to its end. */
async function ended(...args: string[]): Promise<Outcome> {
  await servicesUp();
  host ??= new CommandHost();
  return host.run([...args, '--runs', bench.runsDir]);
}

/** What a command that succeeds prints with --json. */
async function printed(...args: string[]) {
  const { code, stdout, stderr } = await ended(...args, '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

test('services that are up serve campaigns; the same seed gives the same report', async () => {
  const { report } = await runOnce();
  const services = (await servicesUp()).services();
  assert.equal(services.length, 5);

  using second = new FaultlineProcess(['up', ...bench.folders]);
  assert.equal(await second.ended, 2);
  assert.match(second.stderr, /services are up already/);

  const run = await ended('campaign', 'run', await bench.campaign(STEPS));
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /linf-both \(linf/);
  assert.deepEqual((await servicesUp()).services(), services, 'they stay up');

  const campaigns: { campaignId: string; state: string }[] = await printed('campaign', 'list');
  assert.deepEqual(
    campaigns.map(({ state }) => state),
    ['succeeded', 'succeeded'],
  );
  assert.equal(campaigns[1]?.campaignId, report.run.id);
  const again = await printed('report', campaigns[0]?.campaignId ?? '');
  assert.deepEqual(comparablePart(again), comparablePart(report));
});

test('victims, their predictions and attacks on single clips', async () => {
  const victims: { name: string; state: string; card: { labels: unknown[] } }[] = await printed('victims');
  assert.deepEqual(
    victims.map(({ name, state, card }) => [name, state, card.labels.length]),
    [
      ['late', 'ready', 12],
      ['edited', 'ready', 12],
    ],
  );

  const file = join(CLIPS_DIR, 'seen-001.mp4');
  const predicted = await ended('predict', file, 'unseen-004', '--victim', 'late');
  assert.equal(predicted.code, 0, predicted.stderr);
  const known = await printed('predict', file, '--victim', 'late');
  const heard: { label: string; margin: number }[] = known.victims[0].predictions[0].labels;
  const active = heard.filter(({ margin }) => margin > 0).toSorted((a, b) => b.margin - a.margin);
  assert.ok(
    active.some(({ label }) => label === 'drum'),
    JSON.stringify(heard),
  );
  const cell = active.map(({ label, margin }) => `${label} \\+${margin.toFixed(2).replace('.', '\\.')}`).join(', ');
  assert.match(
    predicted.stdout,
    new RegExp(`^clip +true labels +late\n.*seen-001\\.mp4 +\\? +${cell}\nunseen-004 +dog, gunshot +`),
  );

  const folder = join(bench.root, 'examples');
  const attacked = await printed(
    'attack',
    file,
    '--victim',
    'late',
    '--epsilon',
    '0.0000001,0.2',
    '--steps',
    '5',
    '--save',
    folder,
    '--write',
    folder,
    '--codec',
    'lossless',
    '--codec',
    'h264:60k,aac:24k',
  );
  const [found] = attacked.scores;
  assert.deepEqual([found.labelSource, found.state], ['prediction', 'finished']);
  assert.deepEqual(found.labels.toSorted(), active.map(({ label }) => label).toSorted());
  assert.deepEqual([found.criticalScale, found.triedWithout], [0.2, 1e-7]);
  assert.ok(found.adversarialMargin < 0 && found.perturbations[0].norm <= 0.2);
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'scores.json'), 'utf8')), attacked);

  // The saved sound is what the victim was fooled with: its distance to the clean sound is the norm that was told.
  const specification = { kind: 'waveform', sampleRateHz: 16_000, samples: 32_000 } as const;
  const sounds = await Promise.all(
    [file, join(folder, found.files[0])].map((path) => decodeMedia({ path }, [specification])),
  );
  const [clean, adversarial] = sounds.map(([input]) => input?.data ?? new Float32Array());
  const distance = Math.max(
    ...(clean ?? []).map((amplitude, index) => Math.abs(amplitude - (adversarial?.[index] ?? 0))),
  );
  assert.equal(distance, found.perturbations[0].norm);

  // The file that was written is media like any other: a victim makes of it what was told.
  const [lossless, coded] = found.written;
  assert.deepEqual([lossless.form, coded.form, found.media.length], ['lossless', 'h264:60k,aac:24k', 2]);
  for (const [index, written] of [lossless, coded].entries()) {
    assert.equal(written.outcome, written.margin < 0 ? 'survived' : 'lost');
    const [waveform] = written.variables;
    assert.ok(waveform.writtenNorm <= waveform.epsilon);
    const again = await printed('predict', join(folder, found.media[index]), '--victim', 'late');
    const labels: { label: string; margin: number }[] = again.victims[0].predictions[0].labels;
    const margin = Math.max(...labels.filter(({ label }) => found.labels.includes(label)).map((each) => each.margin));
    assert.ok(Math.abs(margin - written.margin) < 1e-4, `${written.form}: ${margin}, not ${written.margin}`);
  }
  assert.deepEqual([lossless.outcome, lossless.variables[0].kept > 0.9], ['survived', true]);
});

test('one perturbation is crafted on some clips, tested on the others, and saved', async () => {
  const clips = ['seen-001', 'seen-002', 'unseen-004', 'unseen-005'];
  const folder = join(bench.root, 'universal');
  const attack = ['--attack', 'universal', '--craft', 'stratum=seen', '--epsilon', '0.01', '--steps', '2'];
  const attacked = await printed('attack', ...clips, ...attack, '--victim', 'late', '--save', folder);
  assert.deepEqual([attacked.scores, attacked.complete, attacked.universals.length], [[], true, 1]);
  const [{ crafted, tested, clean, rungs, files }] = attacked.universals;
  assert.deepEqual([crafted, tested], [clips.slice(0, 2), clips.slice(2)]);
  const [{ norms, applied, rejection, attack: found, noise }] = rungs;
  assert.ok(rejection === null && norms.waveform <= 0.01 && applied.waveform <= 0.01 + 1e-6);
  assert.ok(found.robustAccuracy <= clean.robustAccuracy && noise.robustAccuracy <= clean.robustAccuracy);
  const path = join(folder, files[0]);
  const [saved] = await decodeMedia({ path }, [{ kind: 'waveform', sampleRateHz: 16_000, samples: 32_000 }]);
  assert.equal(Math.max(...(saved?.data ?? []).map(Math.abs)), norms.waveform);

  const table = await ended('attack', ...clips, ...attack, '--victim', 'late');
  assert.match(table.stdout, /^linf-waveform \(linf, strict; crafted on 2 clips, tested on 2\)\n/);
});

test('what is crafted on one victim is tried on another', async () => {
  const transfer = ['--attack', 'transfer', '--surrogate', 'edited', '--steps', '2'];
  const attacked = await printed('attack', 'unseen-004', ...transfer, '--epsilon', '0.0000001,0.3');
  assert.deepEqual([attacked.threatModel.surrogate, attacked.scores.length], ['edited', 1]);
  const [{ victim, attack, criticalScale, adversarialMargin, perturbations, cleanMargin }] = attacked.scores;
  assert.deepEqual([victim, attack, criticalScale], ['late', 'transfer', 0.3]);
  assert.ok(cleanMargin > 0 && adversarialMargin < 0 && perturbations[0].norm <= 0.3);
  assert.ok(attacked.cost.attack.gradientExamples > 0 && attacked.cost.attack.forwardExamples > 2);
});

test('what cannot be used is refused with exit code 2, and the message names the remedy', async () => {
  for (const [args, message] of [
    [['predict', 'nowhere'], /nowhere is no file, and .*no clip of the set/],
    [['predict', join(CLIPS_DIR, 'manifest.json')], /manifest\.json.*cannot be decoded/],
    [['predict', 'unseen-004', '--victim', 'early'], /--victim: .*early.*late/s],
    [['attack', 'unseen-004', '--victim', 'early'], /there is no victim early; there are: late, edited/],
    [['attack', 'unseen-004', '--labels', 'cow'], /--labels: 'cow' is no label .*faultline victims --json/],
    [['attack', 'unseen-004', '--codec', 'h263:9k'], /--codec: 'h263' is no codec .*lossless/],
    [['attack', 'unseen-004', '--attack', 'punch'], /--attack: 'punch' .*pgd/],
    [['attack', 'unseen-004', '--attack', 'universal'], /--craft: leaves no clip to .* with, of 1; choose more clips/],
    [
      ['attack', 'unseen-004', '--attack', 'transfer', '--surrogate', 'late', '--victim', 'late'],
      /--surrogate: 'late' is attacked itself; a transfer is to another victim/,
    ],
    [['attack', 'unseen-004', '--attack', 'transfer'], /--surrogate: is empty; 'transfer' crafts on another victim/],
    [['campaign', 'show', 'nowhere'], /no campaign 'nowhere'; `faultline campaign list`/],
  ] as const) {
    const { code, stdout, stderr } = await ended(...args);
    assert.deepEqual([code, stdout], [2, ''], stderr);
    assert.match(stderr, message);
  }
});

test('a campaign that another terminal cancels ends with exit code 1, and its trace is kept', async () => {
  await servicesUp();
  using run = new FaultlineProcess(['campaign', 'run', await bench.campaign(MANY_STEPS), '--runs', bench.runsDir]);
  await run.written(/linf-both/);
  const [{ campaignId }] = await printed('campaign', 'list', '--limit', '1');
  const { state, progress, specification } = await printed('campaign', 'show', campaignId);
  assert.equal(state, 'running');
  const [{ name, variables, ladder, attacks }] = specification.threatModels;
  const [{ attack, steps }] = attacks;
  assert.deepEqual(
    [name, variables, ladder, attack, steps],
    ['linf-both', { waveform: 0.001, frames: 0.004 }, { early: [1], never: [4] }, 'pgd', MANY_STEPS],
  );
  assert.ok(progress > 0 && progress < 1, `${progress}`);
  const cancelled = await printed('campaign', 'cancel', campaignId);
  assert.equal(cancelled.state, 'cancelled');
  assert.equal(await run.ended, 1);
  assert.match(run.stderr, new RegExp(`campaign ${campaignId} was cancelled: cancelled by faultline-cli`));
  assert.equal(run.stdout, '');
  const trace: { name: string }[] = JSON.parse(await readFile(join(bench.runsDir, campaignId, 'trace.json'), 'utf8'));
  assert.ok(trace.some(({ name }) => name === 'faultline campaign run'));
});

test('old campaigns are removed, their files with them', async () => {
  await servicesUp();
  const names = async () => (await readdir(bench.runsDir)).filter((name) => /^\d{8}-/.test(name)).length;
  assert.equal(await names(), 3);
  const planned = await printed('gc', '--keep-newest', '1', '--dry-run');
  assert.deepEqual([planned.campaigns.length, planned.keptCampaigns, await names()], [2, 1, 3]);
  const removed = await printed('gc', '--keep-newest', '1');
  assert.deepEqual([removed.campaigns, await names()], [planned.campaigns, 1]);
});

test('Ctrl-C stops the services that are up, and leaves no endpoint', async () => {
  const command = await servicesUp();
  const pids = command.services().map(({ pid }) => pid);
  assert.equal(pids.length, 5);
  command.signal('SIGINT');
  assert.equal(await command.ended, 0);
  await gone(pids, STOP_MS);
  assert.equal((await readdir(bench.runsDir)).includes('endpoint.json'), false);
});
