import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { FolderStore } from '@faultline/artefacts';
import { attack, score } from '@faultline/contracts';
import { comparablePart, type Report, type ThreatModelResult } from '@faultline/report';
import { FaultlineError } from '@faultline/service-kit';
import {
  CLIPS,
  type LinearSetting,
  linearSetting,
  startRequest,
  threatModel,
  watchToEnd,
} from './test-support/linear-campaign.ts';

const { CAMPAIGN_STATE_SUCCEEDED, CAMPAIGN_STATE_RUNNING, CAMPAIGN_STATE_CANCELLED } = score.CampaignState;

let setting: LinearSetting;
/** Blocks attacks while a test wants a campaign to be running. */
let gate: Promise<void> = Promise.resolve();

before(async () => {
  setting = await linearSetting({ before: () => gate });
});

after(() => setting[Symbol.asyncDispose]());

async function runToReport(request: score.StartCampaignRequest): Promise<Report> {
  const { campaignId } = await setting.client.startCampaign(request);
  const last = (await watchToEnd(setting.client, campaignId)).at(-1);
  assert.equal(last?.summary?.error, '');
  assert.equal(last?.summary?.state, CAMPAIGN_STATE_SUCCEEDED);
  const { reportJson } = await setting.client.getCampaign({ context: undefined, campaignId });
  return JSON.parse(reportJson);
}

function resultOf(report: Report, victim: string): ThreatModelResult {
  const result = report.victims.find((one) => one.name === victim)?.threatModels[0];
  assert.ok(result !== undefined);
  return result;
}

test('critical budgets are the closed-form ones: margin / gain, rounded up to the ladder', async () => {
  const report = await runToReport(startRequest());
  const scales = [0.5, 1, 2, 4, 8];
  for (const [victim, gain] of [
    ['strong', 2],
    ['weak', 1],
  ] as const) {
    const { criticals } = resultOf(report, victim);
    const margins = report.victims.find((one) => one.name === victim)?.cleanMargins ?? [];
    assert.equal(criticals.length, CLIPS);
    for (const [clip, { critical }] of criticals.entries()) {
      // L-inf on averaging weights: the waveform's margin falls by gain x epsilon. It has no box here: values stay inside.
      const optimum = (margins[clip] ?? Number.NaN) / gain / 0.1;
      assert.equal(critical, scales.find((scale) => scale > optimum) ?? null, `${victim}, clip ${clip}: ${optimum}`);
    }
  }
});

test('the report says what was asked, what was measured, and how large it was', async () => {
  const report = await runToReport(startRequest({ victims: ['weak'], clips: { set: 'linear', limit: 6 } }));
  assert.deepEqual(report.campaign.victims, ['weak']);
  assert.equal(report.campaign.clipSet.clips.length, 6);
  assert.equal(report.campaign.threatModels[0]?.seed, 7, 'a threat model without a seed takes the campaign’s');
  const { ladder, limit, cost, headline, noise, attacks, noises } = resultOf(report, 'weak');
  assert.equal(limit, 8);
  const [own, ...others] = attacks;
  assert.equal(others.length, 0);
  for (const [index, row] of ladder.entries()) {
    const measured = own?.rungs[index]?.measured.waveform;
    if (measured === undefined) continue;
    assert.ok(measured.max <= (row.epsilons.waveform ?? 0));
    assert.ok(measured.max > 0.999 * (row.epsilons.waveform ?? 0));
  }
  const never = ladder.filter((row) => row.stopping === 'never');
  assert.equal(never.length, 1);
  assert.equal(own?.rungs[2]?.candidates, 6);
  assert.ok(never[0]?.ranking !== null && never[0]?.noiseRanking !== null);
  assert.ok(ladder.filter((row) => row.stopping === 'early').every((row) => row.ranking === null));
  assert.ok((headline.robustnessScore ?? 1) < noise.robustnessScore, 'the attack beats noise');
  // Six clips, five rungs, counted where they happen; each candidate is verified by one forward pass.
  assert.deepEqual(cost.attack, { forwardExamples: 30, gradientExamples: 30 });
  assert.equal(
    cost.verification.forwardExamples,
    [...attacks, ...noises].flatMap(({ rungs }) => rungs).reduce((sum, { candidates }) => sum + candidates, 0),
  );
  assert.equal(report.tradeOff.length, 1);
});

test('a search gives critical budgets with their intervals, noise beside it, and what its loops told', async () => {
  const search = threatModel({ attack: 'fmn', rungs: [], maxScale: 4 });
  const report = await runToReport(startRequest({ threatModels: [search] }));
  for (const [victim, gain] of [
    ['strong', 2],
    ['weak', 1],
  ] as const) {
    const { criticals, limit, ladder, attacks, noises, cleanAccuracy, censoring } = resultOf(report, victim);
    const margins = report.victims.find((one) => one.name === victim)?.cleanMargins ?? [];
    assert.deepEqual([limit, ladder, cleanAccuracy], [4, [], 1]);
    for (const [clip, { critical, triedWithout, attack: name }] of criticals.entries()) {
      const optimum = ((margins[clip] ?? Number.NaN) + 1e-4) / gain / 0.1;
      if (optimum > 4) assert.deepEqual([critical, name], [null, null]);
      else {
        assert.ok(Math.abs((critical ?? 0) / optimum - 1) < 1e-4, `${victim}, clip ${clip}: ${critical} ${optimum}`);
        assert.ok(triedWithout < (critical ?? 0) && triedWithout > 0.98 * (critical ?? 0));
        assert.equal(name, 'fmn');
      }
    }
    const [own] = attacks;
    assert.deepEqual([own?.form, own?.rungs, noises.length], ['search', [], 1]);
    const found = criticals.filter(({ critical }) => critical !== null).length;
    assert.deepEqual([own?.search?.verified, own?.search?.candidates], [found, found]);
    const [course] = own?.evidence?.courses ?? [];
    assert.deepEqual(
      course?.points.map(({ step, reached }) => [step, reached]),
      [
        [0, 0],
        [1, found / CLIPS],
      ],
    );
    assert.equal(own?.evidence?.silentSuccesses, 0);
    assert.equal(censoring, found >= 0.9 * CLIPS ? 'none' : 'below');
  }
  assert.equal(report.tradeOff[0]?.quantiles.length, 5);
});

test('several attacks share a ledger; each is seen by itself', async () => {
  const further = { name: 'search', attack: 'fmn', steps: 1, restarts: 1, parameters: [], surrogate: '' };
  const report = await runToReport(startRequest({ threatModels: [threatModel({ furtherAttacks: [further] })] }));
  const { attacks, criticals, ladder } = resultOf(report, 'weak');
  assert.deepEqual(
    attacks.map(({ name, attack: algorithm, form }) => [name, algorithm, form]),
    [
      ['pgd', 'pgd', 'ladder'],
      ['search', 'fmn', 'search'],
    ],
  );
  // The search finds the optimum, the ladder the rung above it.
  assert.ok(criticals.every(({ critical, attack: name }) => critical === null || name === 'search'));
  assert.deepEqual(
    ladder.map(({ robustAccuracy }) => robustAccuracy),
    attacks[0]?.robustAccuracy,
  );
});

test('goals beside deactivation are judged by their own margins; other labels that change are told', async () => {
  const goal = { kind: attack.GoalKind.GOAL_KIND_FABRICATE_ONE, label: 'dog', k: 0 };
  const report = await runToReport(startRequest({ victims: ['weak'], threatModels: [threatModel({ goal })] }));
  const result = resultOf(report, 'weak');
  assert.deepEqual(result.goal, { kind: 'fabricate one', label: 'dog', k: null });
  // Every third clip is a dog: there the goal is reached when clean. The attack of these tests lowers true labels, and so never reaches it elsewhere.
  assert.deepEqual(
    result.criticals.map(({ critical }) => critical),
    Array.from({ length: CLIPS }, (_, clip) => (clip % 3 === 0 ? 0 : null)),
  );
  assert.equal(result.cleanAccuracy, 2 / 3);
  assert.deepEqual(result.collateral, { clips: 0, changed: 0, turnedOff: 0, turnedOn: 0 });
});

test('a fused victim loses when either modality is swapped', async () => {
  const report = await runToReport(startRequest());
  for (const { fusionCheck } of report.victims) {
    assert.equal(fusionCheck?.cleanMap, 1);
    assert.equal(fusionCheck?.clips, CLIPS);
    assert.ok((fusionCheck?.audioSwapped ?? 1) < 1);
    assert.ok((fusionCheck?.framesSwapped ?? 1) < 1);
  }
});

test('two runs with one seed give the same report, times aside; media is extracted once', async () => {
  const extractions = setting.extractions();
  const first = await runToReport(startRequest());
  const second = await runToReport(startRequest());
  assert.deepEqual(comparablePart(second), comparablePart(first));
  assert.notEqual(second.run.id, first.run.id);
  assert.equal(setting.extractions(), Math.max(extractions, CLIPS));
});

test('progress rises to 1, with an activity, and the first message comes at once', async () => {
  const { campaignId } = await setting.client.startCampaign(startRequest());
  const seen = await watchToEnd(setting.client, campaignId);
  assert.ok(seen.length >= 2);
  assert.equal(seen[0]?.summary?.state, CAMPAIGN_STATE_RUNNING);
  assert.ok(seen.every((one, index) => one.progress >= (seen[index - 1]?.progress ?? 0)));
  assert.equal(seen.at(-1)?.progress, 1);
  assert.ok(seen.every((one) => one.activity !== ''));
});

test('a run leaves its files: report, page without external resources, example tensors', async () => {
  const request = startRequest({ name: 'a <b>bold</b> name' });
  const { campaignId } = await setting.client.startCampaign(request);
  await watchToEnd(setting.client, campaignId);
  const { folder, reportJson } = await setting.client.getCampaign({ context: undefined, campaignId });
  assert.deepEqual(JSON.parse(await readFile(join(folder, 'report.json'), 'utf8')), JSON.parse(reportJson));
  const page = await readFile(join(folder, 'report.html'), 'utf8');
  assert.ok(page.includes('a &lt;b&gt;bold&lt;/b&gt; name'));
  assert.doesNotMatch(page, /(src|href)="(?!data:|#)/);
  assert.match(page, /data:audio\/wav;base64/);
  assert.match(page, /corrected for all 1 comparisons by Holm/);
  const example = JSON.parse(await readFile(join(folder, 'examples', 'weak', 'example.json'), 'utf8'));
  assert.ok(
    example.labels.every(
      (label: { isTrue: boolean; attackedMargin: number }) => !label.isTrue || label.attackedMargin < 0,
    ),
  );
  const attacked = await readFile(join(folder, 'examples', 'weak', 'waveform-attacked.f32'));
  assert.equal(attacked.byteLength, 4 * example.inputs[0].dims[0]);
});

test('adversarial tensors are kept where asked for, under the names that the report gives', async () => {
  const report = await runToReport(startRequest({ victims: ['weak'], keepAdversarial: true }));
  const { criticals, adversarial } = resultOf(report, 'weak');
  assert.ok(adversarial !== null && adversarial.length === CLIPS);
  const artefacts = await FolderStore.open(join(setting.runsDir, 'artefacts'));
  for (const [clip, { critical }] of criticals.entries()) {
    const kept: { dims: readonly number[]; sha256: string } | undefined = adversarial[clip]?.waveform;
    assert.equal(kept === undefined, critical === null || critical === 0);
    if (kept === undefined) continue;
    assert.equal((await artefacts.read(kept.sha256)).byteLength, 4 * (kept.dims[0] ?? 0));
  }
  assert.ok(adversarial.some((one) => one !== null));
  assert.equal(resultOf(await runToReport(startRequest({ victims: ['weak'] })), 'weak').adversarial, null);
});

test('an idempotency key starts one campaign', async () => {
  const first = await setting.client.startCampaign(startRequest({}, 'key-1'));
  assert.deepEqual(await setting.client.startCampaign(startRequest({}, 'key-1')), first);
  const [third, fourth] = await Promise.all([
    setting.client.startCampaign(startRequest({}, 'key-2')),
    setting.client.startCampaign(startRequest({}, 'key-2')),
  ]);
  assert.deepEqual(third, fourth);
  assert.notDeepEqual(third, first);
  for (const { campaignId } of [first, third]) await watchToEnd(setting.client, campaignId);
});

test('a key is for one specification, over restarts too', async () => {
  const first = await setting.client.startCampaign(startRequest({}, 'key-3'));
  await watchToEnd(setting.client, first.campaignId);
  await setting.restart();
  assert.deepEqual(await setting.client.startCampaign(startRequest({}, 'key-3')), first);
  await assert.rejects(setting.client.startCampaign(startRequest({ seed: 8 }, 'key-3')), {
    code: 'invalid_argument',
    message: /context.idempotencyKey: 'key-3' was used for campaign '.*', which is another one/,
  });
});

test('campaigns are listed newest first, in pages', async () => {
  await runToReport(startRequest({ name: 'older' }));
  await runToReport(startRequest({ name: 'newer' }));
  const list = (pageToken: string) => setting.client.listCampaigns({ context: undefined, pageSize: 1, pageToken });
  const page = await list('');
  assert.deepEqual(
    page.campaigns.map((one) => [one.name, one.caller, one.state]),
    [['newer', 'test', CAMPAIGN_STATE_SUCCEEDED]],
  );
  assert.equal((await list(page.nextPageToken)).campaigns[0]?.name, 'older');
  const all = await setting.client.listCampaigns({ context: undefined, pageSize: 1000, pageToken: '' });
  assert.equal(all.nextPageToken, '');
  const seen: string[] = [];
  for (let token = '', more = true; more; more = token !== '') {
    const next = await setting.client.listCampaigns({ context: undefined, pageSize: 3, pageToken: token });
    assert.ok(next.campaigns.length <= 3);
    seen.push(...next.campaigns.map(({ campaignId }) => campaignId));
    token = next.nextPageToken;
  }
  assert.deepEqual(
    seen,
    all.campaigns.map(({ campaignId }) => campaignId),
  );
  await assert.rejects(list('last'), { code: 'invalid_argument', message: /pageToken: 'last' is not a token/ });
  await assert.rejects(setting.client.listCampaigns({ context: undefined, pageSize: 1001, pageToken: '' }), {
    message: /pageSize: is 1001; give at most 1000/,
  });
});

test('cancelling ends the campaign, passes on to the attack, and a second cancel changes nothing', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  const { campaignId } = await setting.client.startCampaign(startRequest());
  const cancel = () => setting.client.cancelCampaign({ context: { caller: 'me', idempotencyKey: '' }, campaignId });
  const { summary } = await cancel();
  assert.equal(summary?.state, CAMPAIGN_STATE_CANCELLED);
  assert.equal(summary?.error, 'cancelled by me');
  assert.deepEqual((await cancel()).summary, summary);
  assert.equal((await setting.client.getCampaign({ context: undefined, campaignId })).reportJson, '');
  gate = Promise.resolve();
  resolve();
});

async function violationsOf(change: Partial<score.CampaignSpecification>): Promise<string[]> {
  const thrown: unknown = await setting.client.startCampaign(startRequest(change)).then(
    () => assert.fail('the specification was accepted'),
    (error: unknown) => error,
  );
  assert.ok(thrown instanceof FaultlineError);
  assert.equal(thrown.code, 'invalid_argument');
  return thrown.violations.map(({ field, description }) => `${field}: ${description}`);
}

test('a bad specification is refused with every violation, each naming field, value and remedy', async () => {
  const early = attack.Stopping.STOPPING_EARLY;
  const bad = threatModel({
    name: 'bad name',
    variables: [attack.VariableBudget.fromPartial({ variable: 'smell', rho: 0 })],
    attack: 'magic',
    norm: attack.Norm.NORM_UNSPECIFIED,
    rungs: [
      { scale: 2, stopping: early },
      { scale: 1, stopping: early },
    ],
    steps: 0,
    restarts: 0,
  });
  const violations = await violationsOf({ victims: ['weak', 'nobody'], threatModels: [bad] });
  const path = 'specification.threatModels[0]';
  assert.deepEqual(violations, [
    "specification.victims[1]: 'nobody' is not a known victim (known: strong, weak)",
    `${path}.name: is 'bad name'; use 1 to 64 letters, digits, dots, hyphens and underscores`,
    `${path}.variables[0].rho: is 0; give a finite budget above 0`,
    `${path}.variables[0].variable: 'smell' is no input or tap of victim 'weak' (inputs: waveform, frames; taps: none)`,
    `${path}.norm: is not set; give NORM_LINF, NORM_L2, NORM_L1 or NORM_L0`,
    `${path}.attack: 'magic' is not in the catalogue (known: pgd, noise, fmn, transfer, universal)`,
    `${path}.steps: is 0; give 1 to 10000 gradient steps`,
    `${path}.restarts: is 0; give 1 to 100`,
    `${path}.rungs[1].scale: is 1 after 2; sort the ladder, ascending, no repeats`,
  ]);
});

test('missing parts are refused one by one', async () => {
  assert.match((await violationsOf({ threatModels: [] })).join(), /threatModels: has 0 entries/);
  assert.match(
    (await violationsOf({ threatModels: [threatModel({ rungs: [] })] })).join(),
    /rungs: has 0 rungs; give 1 to 16 budgets, or maxScale/,
  );
  assert.match(
    (await violationsOf({ clips: { set: 'other', limit: 0 } })).join(),
    /clips.set: 'other' is not a known clip set/,
  );
  assert.match(
    (await violationsOf({ threatModels: [threatModel(), threatModel()] })).join(),
    /'linf-waveform' is used twice/,
  );
  assert.match((await violationsOf({ name: '' })).join(), /name: has 0 characters/);
  assert.match(
    (await violationsOf({ threatModels: [threatModel({ norm: attack.Norm.NORM_L1 })] })).join(),
    /attack 'pgd' does not offer NORM_L1.*norm: noise of NORM_L1, to compare with, is not on offer/,
  );
});

test('an unknown campaign is not found', async () => {
  await assert.rejects(setting.client.getCampaign({ context: undefined, campaignId: 'x' }), { code: 'not_found' });
  await assert.rejects(watchToEnd(setting.client, 'x'), { code: 'not_found' });
});

test('runs survive a restart of the service', async () => {
  const before = await setting.client.listCampaigns({ context: undefined, pageSize: 0, pageToken: '' });
  await setting.restart();
  assert.deepEqual(await setting.client.listCampaigns({ context: undefined, pageSize: 0, pageToken: '' }), before);
});

test('garbage: what no rule keeps goes with its files, a running campaign and what kept ones refer to stay', async () => {
  const { campaigns: before } = await setting.client.listCampaigns({ context: undefined, pageSize: 0, pageToken: '' });
  const newest = before[0]?.campaignId ?? '';
  const { promise, resolve } = Promise.withResolvers<void>();
  gate = promise;
  const { campaignId: running } = await setting.client.startCampaign(startRequest());
  const leftovers = ['20260101-000000-000-abcd', 'db-incomplete-1'];
  for (const name of leftovers) {
    await mkdir(join(setting.runsDir, name));
    await writeFile(join(setting.runsDir, name, 'file'), '12345');
  }
  const artefacts = await FolderStore.open(join(setting.runsDir, 'artefacts'));
  const { sha256: young } = await artefacts.put(Buffer.from('young'));
  const old = new Date(Date.now() - 48 * 3_600_000);
  const files = (await readdir(join(setting.runsDir, 'artefacts'), { recursive: true, withFileTypes: true })).filter(
    (entry) => entry.isFile() && entry.name !== young,
  );
  assert.ok(files.length > 0, 'of a campaign that goes');
  for (const { parentPath, name } of files) await utimes(join(parentPath, name), old, old);
  const collect = (dryRun: boolean) =>
    setting.client.collectGarbage({ context: undefined, keepNewest: 1, keepDays: undefined, dryRun });
  const told = await collect(true);
  assert.equal(told.dryRun, true);
  assert.deepEqual(
    told.campaigns.map(({ summary }) => summary?.campaignId),
    before.slice(1).map(({ campaignId }) => campaignId),
  );
  assert.ok(told.campaigns.some(({ bytes }) => bytes > 10_000));
  assert.deepEqual([told.leftovers.toSorted(), told.leftoverBytes], [leftovers, 10]);
  assert.equal(told.artefacts, files.length);
  const keptAll = await setting.client.collectGarbage({
    context: undefined,
    keepNewest: 100,
    keepDays: undefined,
    dryRun: true,
  });
  assert.equal(keptAll.artefacts, 0, 'what a kept campaign refers to stays, however old');
  assert.equal(
    (await setting.client.getCampaign({ context: undefined, campaignId: newest })).summary?.campaignId,
    newest,
  );
  const done = await collect(false);
  assert.deepEqual(done, { ...told, dryRun: false });
  const ids = async () =>
    (await setting.client.listCampaigns({ context: undefined, pageSize: 0, pageToken: '' })).campaigns.map(
      ({ campaignId }) => campaignId,
    );
  assert.deepEqual(await ids(), [running, newest]);
  const folders = (await readdir(setting.runsDir)).filter((name) => /^20/.test(name));
  assert.deepEqual(folders, [newest]);
  assert.notEqual(await artefacts.stat(young), undefined, 'what was put lately stays');
  const again = await collect(true);
  assert.deepEqual([again.campaigns, again.leftovers, again.bytes, again.keptCampaigns], [[], [], 0, 2]);
  resolve();
  await watchToEnd(setting.client, running);
});
