import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { attack } from '@faultline/contracts';
import type { Report } from '@faultline/report';
import { linearSetting, startRequest, threatModel, watchToEnd } from '../test-support/linear-campaign.ts';

const asked: attack.AttackRequest[] = [];
const setting = await linearSetting({
  before: async (request) => {
    asked.push(request);
  },
});
after(() => setting[Symbol.asyncDispose]());

const transfer = (change: Partial<attack.FurtherAttack> = {}): attack.FurtherAttack => ({
  name: '',
  attack: 'transfer',
  steps: 5,
  restarts: 1,
  parameters: [],
  surrogate: 'strong',
  ...change,
});

test('what is crafted on a surrogate is verified on the victim, beside attacks on the victim itself', async () => {
  const threatModels = [threatModel({ furtherAttacks: [transfer()] })];
  const { campaignId } = await setting.client.startCampaign(startRequest({ victims: ['weak'], threatModels }));
  const last = (await watchToEnd(setting.client, campaignId)).at(-1);
  assert.equal(last?.summary?.error, '');
  const { reportJson } = await setting.client.getCampaign({ context: undefined, campaignId });
  const report: Report = JSON.parse(reportJson);
  const attacks = report.victims[0]?.threatModels[0]?.attacks ?? [];
  assert.deepEqual(
    attacks.map(({ name, surrogate }) => [name, surrogate]),
    [
      ['pgd', null],
      ['transfer', 'strong'],
    ],
  );
  // The two victims differ in their gains alone, so that what is crafted on one is the optimum of the other.
  const [own, carried] = attacks;
  assert.deepEqual(carried?.robustAccuracy, own?.robustAccuracy);
  const sent = (name: string) => asked.filter(({ threatModel: model }) => model?.attack === name);
  assert.ok(
    sent('transfer').every(({ victim, threatModel: model }) => victim === 'weak' && model?.surrogate === 'strong'),
  );
  assert.ok([...sent('pgd'), ...sent('noise')].every(({ threatModel: model }) => model?.surrogate === ''));
  assert.ok(sent('transfer').length > 0 && sent('pgd').length > 0);
});

test('a surrogate is another victim that is known, and named for transfer alone', async () => {
  const refused = (victims: string[], change: Partial<attack.FurtherAttack>, message: RegExp) =>
    assert.rejects(
      setting.client.startCampaign(
        startRequest({ victims, threatModels: [threatModel({ furtherAttacks: [transfer(change)] })] }),
      ),
      { code: 'invalid_argument', message },
    );
  await refused(
    ['weak', 'strong'],
    {},
    /furtherAttacks\[0\]\.surrogate: 'strong' is attacked itself; a transfer is to/,
  );
  await refused(['weak'], { surrogate: 'other' }, /surrogate: 'other' is not a known victim \(known: strong, weak\)/);
  await refused(['weak'], { surrogate: '' }, /surrogate: is empty; 'transfer' crafts on another victim: name it/);
  await refused(['weak'], { attack: 'fmn' }, /surrogate: is 'strong', and 'fmn' crafts on the victim itself/);
});
