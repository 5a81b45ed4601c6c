import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Report, ThreatModelResult } from '@faultline/report';
import { FaultlineProcess } from '../testing/faultline-process.ts';
import { Workbench } from '../testing/workbench.ts';

// A victim whose gradients are masked, beside a clean one: real files, real services.

const STEPS = 3;
const CLIPS = 4;

let bench: Workbench;
let report: Report;
before(async () => {
  bench = await Workbench.create();
  await bench.maskVictim('masked');
  using command = new FaultlineProcess([
    'campaign',
    'run',
    await bench.campaign(STEPS, CLIPS),
    '--json',
    ...bench.folders,
  ]);
  assert.equal(await command.ended, 0, command.stderr);
  report = JSON.parse(command.stdout);
});
after(() => bench[Symbol.asyncDispose]());

function resultOf(name: string): ThreatModelResult {
  const result = report.victims.find((one) => one.name === name)?.threatModels[0];
  assert.ok(result !== undefined);
  return result;
}

test('a clean victim is sound', () => {
  const { assessment, headline } = resultOf('late');
  assert.deepEqual([assessment.verdict, assessment.findings], ['sound', []]);
  assert.notEqual(headline.robustnessScore, null);
});

test('masked gradients are told with their reason, and the score is remedied or withheld', async () => {
  const { assessment, headline, attacks, criticals, cleanAccuracy } = resultOf('masked');
  assert.ok(cleanAccuracy > 0, 'there is something to attack');
  assert.ok(assessment.findings.some(({ indicator }) => indicator === 'zero-gradient'));
  assert.match(assessment.reason, /the gradient is 0/);
  const isWithheld = assessment.verdict === 'withheld';
  assert.equal(headline.robustnessScore === null, isWithheld);
  assert.equal(report.tradeOff.find(({ victim }) => victim === 'masked')?.robustnessScore, headline.robustnessScore);
  assert.deepEqual(
    report.uncompared.map(({ victim }) => victim),
    isWithheld ? ['masked'] : [],
  );
  if (!isWithheld) {
    assert.equal(assessment.verdict, 'remedied');
    const own = attacks.find(({ name }) => name === assessment.remedy);
    assert.ok(own?.search !== null && (own?.search.verified ?? 0) > 0, 'its points were verified');
    assert.ok(
      criticals.some(({ attack }) => attack === assessment.remedy),
      'and stand in the ledger',
    );
  }
  const page = await readFile(join(await bench.newestRun(), 'report.html'), 'utf8');
  assert.match(page, /zero-gradient/);
});
