import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attack, inference } from '@faultline/contracts';
import { gradientFlags, gradientOf, gradientReport } from '../judge/gradient.ts';
import { victimUnderTest } from '../peers/victim-under-test.ts';
import { threatModel } from '../test-support/linear-campaign.ts';
import { linearVictim } from '../test-support/linear-victim.ts';
import { checkDistinct, checkThreatModel } from './threat-model-rules.ts';

const { GRADIENT_VERDICT_WHITE_BOX, GRADIENT_VERDICT_ESTIMATION, GRADIENT_VERDICT_BLACK_BOX } =
  inference.GradientVerdict;
const { card } = linearVictim('v', { waveform: 1, frames: 1 });

/** A victim with these verdicts on its sound and its frames. */
function victimWith(waveform: inference.GradientVerdict, frames: inference.GradientVerdict) {
  const gradient = {
    verdict: frames,
    variables: [
      { variable: 'waveform', verdict: waveform, reason: '' },
      { variable: 'frames', verdict: frames, reason: 'Round' },
    ],
    estimatedOperators: ['QuantizeLinear'],
  };
  return victimUnderTest('v', inference.DescribeResponse.fromPartial({ card, maxExamples: 8, gradient }));
}

const ATTACKS = [
  attack.AttackDescription.fromPartial({
    name: 'pgd',
    norms: [attack.Norm.NORM_LINF],
    mixes: [attack.Norm.NORM_LINF, attack.Norm.NORM_L2],
    knowledge: attack.AttackKnowledge.ATTACK_KNOWLEDGE_GRADIENTS,
    parameters: [
      {
        name: 'step_scale',
        type: { $case: 'number', value: { minimum: 0, maximum: 2, defaultValue: 1, whole: false } },
      },
      { name: 'queries', type: { $case: 'number', value: { minimum: 1, maximum: 9, defaultValue: 1, whole: true } } },
      { name: 'loss', type: { $case: 'choice', value: { values: ['margin', 'dlr'], defaultValue: 'margin' } } },
    ],
  }),
  attack.AttackDescription.fromPartial({
    name: 'fmn',
    knowledge: attack.AttackKnowledge.ATTACK_KNOWLEDGE_GRADIENTS,
    norms: [attack.Norm.NORM_LINF],
    kind: attack.AttackKind.ATTACK_KIND_MINIMUM_NORM,
    mostVariables: 1,
    goals: [attack.GoalKind.GOAL_KIND_DEACTIVATE_ALL],
  }),
  attack.AttackDescription.fromPartial({
    name: 'universal',
    norms: [attack.Norm.NORM_LINF],
    kind: attack.AttackKind.ATTACK_KIND_UNIVERSAL,
  }),
];

function problems(change: Partial<attack.ThreatModel>, victim = victimWith(1, 1)): string[] {
  const found: string[] = [];
  const report = (field: string, description: string) => found.push(`${field}: ${description}`);
  checkThreatModel(threatModel(change), 'm', ATTACKS, [victim], report);
  return found;
}

const parameter = (name: string, value: number | string): attack.AttackParameter => ({
  name,
  value: typeof value === 'number' ? { $case: 'number', value } : { $case: 'choice', value },
});

test('norms of variables are those that the attack takes side by side', () => {
  const { NORM_L2, NORM_L1 } = attack.Norm;
  const own = (norm: attack.Norm) => ({
    variables: [attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 1, norm })],
  });
  assert.deepEqual(problems(own(NORM_L2)), []);
  assert.deepEqual(problems(own(NORM_L1)), [
    "m.variables[0].norm: is NORM_L1 beside NORM_LINF; 'pgd' takes side by side: NORM_LINF, NORM_L2",
  ]);
});

test('parameters of an attack are those of the catalogue, in range, once', () => {
  assert.deepEqual(problems({ parameters: [parameter('step_scale', 0.5), parameter('loss', 'dlr')] }), []);
  const wrong = [
    parameter('step_scale', 3),
    parameter('queries', 1.5),
    parameter('loss', 'hinge'),
    parameter('loss', 1),
    parameter('depth', 1),
  ];
  assert.deepEqual(problems({ parameters: wrong }), [
    "m.parameters[0]: 'step_scale' is 3; give a number from 0 to 2",
    "m.parameters[1]: 'queries' is 1.5; give a whole number from 1 to 9",
    "m.parameters[2]: 'loss' is 'hinge'; give one of margin, dlr",
    "m.parameters[3].name: 'loss' is given twice",
    "m.parameters[3]: 'loss' is not a choice; give one of margin, dlr",
    "m.parameters[4].name: 'depth' is no parameter of attack 'pgd' (known: step_scale, queries, loss)",
  ]);
});

const FURTHER = {
  surrogate: '',
  name: '',
  attack: 'fmn',
  steps: 10,
  restarts: 1,
  parameters: [],
};

test('several attacks stand under one threat model, searches beside a ladder too, each with a name of its own', () => {
  assert.deepEqual(problems({ attack: 'fmn' }), []);
  assert.deepEqual(problems({ furtherAttacks: [FURTHER, { ...FURTHER, name: 'fmn-long', steps: 100 }] }), []);
  assert.deepEqual(problems({ furtherAttacks: [{ ...FURTHER, attack: 'pgd', steps: 0 }] }), [
    'm.furtherAttacks[0].steps: is 0; give 1 to 10000 gradient steps',
    "m.furtherAttacks[0].name: 'pgd' is used twice; results are filed by name: give this attack one of its own",
  ]);
});

test('a bound is for searches, and the goal names what it needs', () => {
  assert.deepEqual(problems({ rungs: [], maxScale: 2 }), []);
  assert.deepEqual(problems({ maxScale: 2 }), [
    'm.maxScale: is given beside rungs; it bounds searches, which have none',
  ]);
  const { GOAL_KIND_TARGETED, GOAL_KIND_TOP_K, GOAL_KIND_FABRICATE_ONE } = attack.GoalKind;
  assert.deepEqual(problems({ goal: { kind: GOAL_KIND_TARGETED, label: 'dog', k: 0 } }), []);
  assert.deepEqual(problems({ goal: { kind: GOAL_KIND_TARGETED, label: '', k: 1 } }), [
    'm.goal.label: is empty; name the label that is to be the highest',
    'm.goal.k: is 1; only GOAL_KIND_TOP_K takes one',
  ]);
  assert.deepEqual(problems({ goal: { kind: GOAL_KIND_TOP_K, label: 'dog', k: 0 } }), [
    "m.goal.label: is 'dog'; this kind of goal takes none",
    'm.goal.k: is 0; give at least 1',
  ]);
  assert.deepEqual(problems({ goal: { kind: GOAL_KIND_FABRICATE_ONE, label: 'cat', k: 0 } }), [
    "m.goal.label: 'cat' is no label of victim 'v'",
  ]);
  assert.deepEqual(problems({ attack: 'fmn', rungs: [], goal: { kind: GOAL_KIND_TOP_K, label: '', k: 1 } }), [
    "m.attack: 'fmn' cannot be told the goal GOAL_KIND_TOP_K; it takes GOAL_KIND_DEACTIVATE_ALL",
  ]);
});

test('two threat models of the same variables, norm and goal are one', () => {
  const found: string[] = [];
  const report = (field: string, description: string) => found.push(`${field}: ${description}`);
  const [first, second] = [threatModel(), threatModel({ name: 'again', steps: 9, rungs: [], maxScale: 3 })];
  const other = threatModel({ name: 'other', goal: { kind: attack.GoalKind.GOAL_KIND_TOP_K, label: '', k: 1 } });
  checkDistinct([first, other, second], 'm', report);
  assert.deepEqual(found, [
    "m[2]: has the variables, norm and goal of 'linf-waveform'; add its attack to that one, so that both share what they find",
  ]);
});

test('an attack with gradients is refused on variables that have none, not on others', () => {
  const victim = victimWith(GRADIENT_VERDICT_WHITE_BOX, GRADIENT_VERDICT_BLACK_BOX);
  assert.deepEqual(problems({}, victim), []);
  const variables = [attack.VariableBudget.fromPartial({ variable: 'frames', rho: 0.1 })];
  assert.deepEqual(problems({ variables }, victim), [
    "m.attack: 'pgd' needs gradients, which victim 'v' has not; choose an attack that needs none, or leave the victim out",
  ]);
});

test('the verdict on gradients reaches the report: the worst of the attacked variables, and a flag when they are estimates', () => {
  const victim = victimWith(GRADIENT_VERDICT_WHITE_BOX, GRADIENT_VERDICT_ESTIMATION);
  const both = threatModel({
    variables: ['waveform', 'frames'].map((variable) => attack.VariableBudget.fromPartial({ variable, rho: 0.1 })),
  });
  assert.equal(gradientOf(victim, threatModel()), 'white-box');
  assert.equal(gradientOf(victim, both), 'white-box with estimation');
  assert.equal(gradientReport(victim).variables[1]?.verdict, 'white-box with estimation');
  assert.equal(
    gradientReport(victimUnderTest('v', inference.DescribeResponse.fromPartial({ card }))).verdict,
    'unknown',
  );
  const cost = { forwardExamples: 1, gradientExamples: 1 };
  assert.equal(gradientFlags('white-box with estimation', cost)[0]?.code, 'estimated-gradient');
  assert.deepEqual(gradientFlags('white-box', cost), []);
  assert.deepEqual(gradientFlags('white-box with estimation', { ...cost, gradientExamples: 0 }), [], 'none were used');
});

test('attacks that cannot judge clip by clip, or not so many variables, are refused', () => {
  const further = problems({ furtherAttacks: [{ ...FURTHER, attack: 'universal' }] });
  assert.match(
    further.join(),
    /m\.furtherAttacks\[0\]\.attack: 'universal' crafts one perturbation for all clips; each clip is/,
  );
  assert.match(
    problems({ craft: { choice: { $case: 'share', value: 0.5 } } }).join(),
    /m\.craft: says which clips craft, and 'pgd' attacks each by itself; leave it out/,
  );
  assert.match(
    problems({ attack: 'universal', restarts: 2, furtherAttacks: [FURTHER] }).join(),
    /m\.rungs\[0\]\.stopping: stops early; .*m\.restarts: is 2; .*m\.furtherAttacks: judge each/,
  );
  const variables = ['waveform', 'frames'].map((variable) => attack.VariableBudget.fromPartial({ variable, rho: 1 }));
  const told = problems({ attack: 'fmn', rungs: [], variables });
  assert.ok(
    told.some((problem) => /^m.attack: 'fmn' attacks 1 variable at once/.test(problem)),
    told.join(),
  );
});
