import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { attack } from '@faultline/contracts';
import { WORKSPACE } from '../workspace.ts';
import { parseCampaign, readCampaignFile } from './campaign-file.ts';

const VALID = `name: tiny
seed: 7
victims: [late]
clips: { limit: 2 }
threatModels:
  - name: linf-both
    norm: linf
    variables: { waveform: 0.001, frames: 0.004 }
    ladder: { early: [1, 0.25], never: [0.5] }
`;

test('a campaign file becomes a specification, its ladder ascending and its defaults filled in', () => {
  const { STOPPING_EARLY, STOPPING_NEVER } = attack.Stopping;
  assert.deepEqual(parseCampaign(VALID, 'tiny.yaml'), {
    name: 'tiny',
    victims: ['late'],
    clips: { set: '', limit: 2 },
    threatModels: [
      {
        name: 'linf-both',
        variables: [
          attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 0.001 }),
          attack.VariableBudget.fromPartial({ variable: 'frames', rho: 0.004 }),
        ],
        norm: attack.Norm.NORM_LINF,
        rungs: [
          { scale: 0.25, stopping: STOPPING_EARLY },
          { scale: 0.5, stopping: STOPPING_NEVER },
          { scale: 1, stopping: STOPPING_EARLY },
        ],
        attack: 'pgd',
        steps: 20,
        restarts: 1,
        seed: 7,
        parameters: [],
        attackName: '',
        furtherAttacks: [],
        goal: undefined,
        maxScale: undefined,
        craft: undefined,
        surrogate: '',
      },
    ],
    seed: 7,
    keepAdversarial: false,
    writeBack: [],
  });
});

test('"all" stands for every victim and every clip', () => {
  const { victims, clips } = parseCampaign(VALID.replace('[late]', 'all').replace('limit: 2', 'limit: all'), 'x.yaml');
  assert.deepEqual([victims, clips?.limit], [[], 0]);
});

for (const [change, replacement, expected] of [
  ['seed: 7', 'seed: many', /^x\.yaml:2: seed: /],
  ['seed: 7', 'sead: 7', /x\.yaml:2: sead: unknown field/],
  ['norm: linf', 'norm: l3', /^x\.yaml:7: threatModels\[0\]\.norm: .*"l2"/],
  ['frames: 0.004', 'frames: -1', /^x\.yaml:8: threatModels\[0\]\.variables\.frames: /],
  ['never: [0.5]', 'never: [1]', /^x\.yaml:9: threatModels\[0\]\.ladder: a budget is there twice/],
  ['never: [0.5]', 'late: [0.5]', /^x\.yaml:9: threatModels\[0\]\.ladder\.late: unknown field/],
  ['frames: 0.004', 'frames: { rho: 1, region: {} }', /^x\.yaml:8: .*frames\.region: name windows/],
  [
    'frames: 0.004',
    'frames: { rho: 1, region: { windows: [[2, 1]] } }',
    /^x\.yaml:8: .*windows\[0\]: .*second above the first/,
  ],
  ['limit: 2', 'limit: 0', /^x\.yaml:4: clips\.limit: /],
  ['{ limit: 2 }', '{ limit: 2', /^x\.yaml:\d+: not YAML: /],
] as const) {
  test(`"${replacement}" is refused with its line and field`, () => {
    assert.throws(() => parseCampaign(VALID.replace(change, replacement), 'x.yaml'), {
      name: 'UsageError',
      message: expected,
    });
  });
}

test('regions and parameters of an attack reach the specification', () => {
  const text = VALID.replace(
    'frames: 0.004',
    'frames: { rho: 0.004, region: { boxes: [[0, 0, 0.5, 1]], windows: [[0.5, 1]] } }',
  );
  const [model] = parseCampaign(`${text}    parameters: { step_scale: 1.5, start: zero }\n`, 'x.yaml').threatModels;
  assert.deepEqual(model?.variables[1]?.region, {
    windows: [{ startSeconds: 0.5, endSeconds: 1 }],
    frames: [],
    boxes: [{ left: 0, top: 0, right: 0.5, bottom: 1 }],
    bands: [],
  });
  assert.deepEqual(model?.parameters, [
    { name: 'step_scale', value: { $case: 'number', value: 1.5 } },
    { name: 'start', value: { $case: 'choice', value: 'zero' } },
  ]);
});

test('a norm, frames, steps and a range of a variable reach the specification', () => {
  const text = VALID.replace(
    'frames: 0.004',
    'frames: { rho: 0.4, norm: l2, frames: {}, stepScale: 0.5, low: 0.1, high: 0.9 }',
  ).replace('waveform: 0.001', 'waveform: { rho: 2, weighting: masking }');
  const [sound, variable] = parseCampaign(text, 'x.yaml').threatModels[0]?.variables ?? [];
  assert.equal(sound?.weighting, attack.Weighting.WEIGHTING_MASKING);
  assert.deepEqual(variable, {
    ...attack.VariableBudget.fromPartial({ variable: 'frames', rho: 0.4, norm: attack.Norm.NORM_L2 }),
    frames: { seconds: 0 },
    stepScale: 0.5,
    low: 0.1,
    high: 0.9,
  });
});

test('several attacks, a goal and a search reach the specification', () => {
  const attacks = `
    goal: { kind: top-k, k: 3 }
    attacks:
      - { attack: pgd }
      - { attack: pgd, name: pgd-long, steps: 200, restarts: 2 }
      - { attack: sigma_zero, parameters: { step_size: 0.5 } }
`;
  const text = VALID.replace('    ladder: { early: [1, 0.25], never: [0.5] }\n', `    maxScale: 8${attacks}`);
  const [model] = parseCampaign(text, 'x.yaml').threatModels;
  assert.deepEqual([model?.rungs, model?.maxScale, model?.attack, model?.steps], [[], 8, 'pgd', 20]);
  assert.deepEqual(model?.goal, { kind: attack.GoalKind.GOAL_KIND_TOP_K, label: '', k: 3 });
  assert.deepEqual(
    model?.furtherAttacks.map(({ name, attack: algorithm, steps, restarts }) => [name, algorithm, steps, restarts]),
    [
      ['pgd-long', 'pgd', 200, 2],
      ['', 'sigma_zero', 20, 1],
    ],
  );
  assert.throws(() => parseCampaign(`${VALID}    maxScale: 3\n`, 'x.yaml'), { message: /maxScale: bounds searches/ });
  assert.throws(() => parseCampaign(`${VALID}    attack: pgd${attacks}`, 'x.yaml'), { message: /put it into attacks/ });
});

test('an empty file and a missing file are refused', async () => {
  assert.throws(() => parseCampaign('', 'x.yaml'), { name: 'UsageError', message: /^x\.yaml:1: campaign: / });
  await assert.rejects(readCampaignFile('nowhere.yaml'), { name: 'UsageError', message: /nowhere\.yaml/ });
});

test('the main job attacks sound, picture and both in two norms, with two budgets for robust mAP each', async () => {
  const { threatModels } = await readCampaignFile(join(WORKSPACE, 'campaigns/quick.yaml'));
  const kinds = threatModels.map(({ norm, variables }) => `${norm} ${variables.map(({ variable }) => variable)}`);
  assert.equal(new Set(kinds).size, 6);
  for (const { rungs, steps } of threatModels) {
    assert.equal(rungs.filter(({ stopping }) => stopping === attack.Stopping.STOPPING_NEVER).length, 2);
    assert.ok(steps >= 12);
  }
});
