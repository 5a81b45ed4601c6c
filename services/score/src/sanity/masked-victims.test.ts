import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { attack, score } from '@faultline/contracts';
import type { Report } from '@faultline/report';
import {
  type LinearSetting,
  linearSetting,
  startRequest,
  threatModel,
  watchToEnd,
} from '../test-support/linear-campaign.ts';

// Victims that tell less of their gradient than there is, behind real gRPC: linear, so that every critical scale is known.

const LIMIT = 8;
const RHO = 0.1;
const GAINS = [
  ['strong', 2],
  ['weak', 1],
] as const;
const { ASSESSMENT_VERDICT_SOUND, ASSESSMENT_VERDICT_REMEDIED, ASSESSMENT_VERDICT_WITHHELD } = score.AssessmentVerdict;

let setting: LinearSetting;
/** What the victims tell of their gradient at a margin. */
let slope: (margin: number) => number = () => 1;
/** Share of their budget that attacks use. */
let share = 1;

before(async () => {
  setting = await linearSetting({ slope: (margin) => slope(margin), share: () => share });
});
after(() => setting[Symbol.asyncDispose]());

async function campaign(change: Partial<score.CampaignSpecification> = {}): Promise<Report> {
  const { client } = setting;
  const { campaignId } = await client.startCampaign(startRequest(change));
  await watchToEnd(client, campaignId);
  return JSON.parse((await client.getCampaign({ context: undefined, campaignId })).reportJson);
}

async function scores(change: Partial<score.ScoreRequest> = {}): Promise<score.ClipScore[]> {
  const request = score.ScoreRequest.fromPartial({
    clips: ['clip-0', 'clip-1'].map((value) => ({ source: { $case: 'clipId', value } as const })),
    threatModels: [threatModel()],
    ...change,
  });
  const found: score.ClipScore[] = [];
  for await (const { kind } of setting.client.score(request)) if (kind?.$case === 'score') found.push(kind.value);
  return found;
}

const optima = (report: Report, victim: string, gain: number) =>
  (report.victims.find(({ name }) => name === victim)?.cleanMargins ?? []).map((margin) => margin / gain / RHO);

function resultOf(report: Report, victim: string) {
  const result = report.victims.find(({ name }) => name === victim)?.threatModels[0];
  assert.ok(result !== undefined);
  return result;
}

test('gradients that are true raise nothing, and cost little', async () => {
  slope = () => 1;
  const report = await campaign();
  for (const [name] of GAINS) {
    const { assessment, headline } = resultOf(report, name);
    assert.deepEqual([assessment.verdict, assessment.reason, assessment.remedy], ['sound', '', null]);
    assert.deepEqual(assessment.cost, { forwardExamples: 8, gradientExamples: 4 }, 'four clips');
    assert.notEqual(headline.robustnessScore, null);
  }
  assert.equal(report.comparisons.length, 1);
  assert.ok((await scores()).every(({ assessment }) => assessment?.verdict === ASSESSMENT_VERDICT_SOUND));
});

test('gradients that are true at the boundary alone: a remedy finds what the attack did not, verified', async () => {
  slope = (margin) => (Math.abs(margin) < 0.01 ? 1 : 0);
  const report = await campaign();
  for (const [name, gain] of GAINS) {
    const { assessment, criticals, attacks, ladder } = resultOf(report, name);
    assert.equal(assessment.verdict, 'remedied');
    assert.equal(assessment.findings[0]?.indicator, 'zero-gradient');
    for (const [clip, optimum] of optima(report, name, gain).entries()) {
      const critical = criticals[clip]?.critical ?? null;
      if (optimum > LIMIT) assert.equal(critical, null);
      else
        assert.ok(
          critical !== null && critical > 0.99 * optimum && critical < 1.1 * optimum,
          `${critical}, ${optimum}`,
        );
    }
    assert.equal(attacks.find((one) => one.name === assessment.remedy)?.search?.refuted, 0);
    assert.ok((ladder.at(-1)?.robustAccuracy ?? 1) < (ladder[0]?.robustAccuracy ?? 0));
  }
  assert.deepEqual([report.comparisons.length, report.uncompared], [1, []]);
  for (const one of await scores()) {
    assert.deepEqual([one.assessment?.verdict, one.attack], [ASSESSMENT_VERDICT_REMEDIED, one.assessment?.remedy]);
    assert.ok((one.criticalScale ?? 0) > 0);
  }
});

test('gradients that are nowhere true: there is no score, the reason stands in its place, and nothing is compared', async () => {
  slope = () => 0;
  const report = await campaign();
  for (const [name] of GAINS) {
    const { assessment, headline, paired, flags } = resultOf(report, name);
    assert.equal(assessment.verdict, 'withheld');
    assert.match(assessment.reason, /the gradient is 0.*no remedy is to be believed/);
    assert.deepEqual([headline.robustnessScore, headline.medianCriticalScale, headline.interval], [null, null, null]);
    assert.equal(paired?.robustnessScore, null);
    assert.ok(flags.some(({ code }) => code === 'withheld'));
    assert.equal(report.tradeOff.find(({ victim }) => victim === name)?.robustnessScore, null);
  }
  assert.deepEqual(report.comparisons, []);
  assert.deepEqual(
    report.uncompared.map(({ victim }) => victim),
    ['strong', 'weak'],
  );
  for (const { assessment, criticalScale, state, reason } of await scores()) {
    assert.equal(assessment?.verdict, ASSESSMENT_VERDICT_WITHHELD);
    assert.deepEqual([criticalScale, state], [undefined, score.ScoreState.SCORE_STATE_FINISHED]);
    assert.match(reason, /^withheld: the gradient is 0/);
  }
});

test('budgets that no walk keeps are withheld as soon as the attack is seen to fail', async () => {
  slope = () => 0;
  const variables = [attack.VariableBudget.fromPartial({ variable: 'waveform', rho: RHO, frames: { seconds: 0.001 } })];
  const { assessment } = resultOf(await campaign({ threatModels: [threatModel({ variables })] }), 'weak');
  assert.match(assessment.reason, /no remedy is known for such budgets/);
});

test('an attack that noise beats is told from it by scores of clips too', async () => {
  slope = () => 1;
  share = 0.02;
  try {
    const rungs = [1, 4, 16].map((scale) => ({ scale, stopping: attack.Stopping.STOPPING_EARLY }));
    const found = await scores({
      victims: ['weak'],
      // Of these the noise of the test's attack service lowers the label.
      clips: ['clip-0', 'clip-3'].map((value) => ({
        name: '',
        labels: [],
        source: { $case: 'clipId', value } as const,
      })),
      threatModels: [threatModel({ rungs })],
    });
    assert.equal(found.length, 2);
    for (const { assessment, attack: by, criticalScale, cleanMargin } of found) {
      assert.deepEqual(
        assessment?.findings.map(({ indicator, clips }) => [indicator, clips]),
        [['noise-is-better', 2]],
      );
      assert.deepEqual([assessment?.verdict, by], [ASSESSMENT_VERDICT_REMEDIED, assessment?.remedy]);
      const optimum = (cleanMargin ?? Number.NaN) / RHO;
      assert.ok((criticalScale ?? 0) > 0.99 * optimum && (criticalScale ?? 0) < 1.1 * optimum);
    }
  } finally {
    share = 1;
  }
});
