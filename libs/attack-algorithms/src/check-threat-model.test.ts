import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import { defaultValues, parameterFault } from './attack-parameters.ts';
import { catalogue } from './catalogue.ts';
import { AttackRequestError, type Violation } from './faults.ts';
import { runAttack } from './run-attack.ts';
import { runOf } from './testing/attack-run.ts';
import { LinearVictim } from './testing/linear-victim.ts';

const linear = await LinearVictim.create(2);
after(() => linear[Symbol.asyncDispose]());

/** What is wrong with a threat model that differs from a good one like this. */
async function violations(changes: Partial<attack.ThreatModel>): Promise<readonly Violation[]> {
  const run = runOf({
    inputs: linear.clips(1, 0, 1),
    labels: [[0]],
    labelCount: 3,
    norm: 'linf',
    budgets: new Map([['waveform', 0.1]]),
    rungs: [[1, 'never']],
    steps: 1,
  });
  try {
    const threatModel = { ...run.threatModel, ...changes };
    for await (const _ of runAttack(linear.victim, { ...run, threatModel }));
    return [];
  } catch (error) {
    assert.ok(error instanceof AttackRequestError);
    return error.violations;
  }
}

const number = (name: string, value: number): attack.AttackParameter => ({ name, value: { $case: 'number', value } });
const choice = (name: string, value: string): attack.AttackParameter => ({ name, value: { $case: 'choice', value } });

test('parameters are those of the catalogue', async () => {
  assert.deepEqual(await violations({ parameters: [number('step_scale', 2), choice('schedule', 'constant')] }), []);
  const bad = [
    number('stepscale', 1),
    number('step_scale', 500),
    choice('schedule', 'linear'),
    choice('last_step', 'small'),
    { name: 'random_start', value: undefined },
    number('random_start', 0),
  ];
  const path = 'threat_model.parameters';
  assert.deepEqual(await violations({ parameters: bad }), [
    {
      field: `${path}[0].name`,
      description:
        "'stepscale' is no parameter of attack 'pgd', which takes step_scale, schedule, last_step, random_start, loss, shift_share, shift_samples, shift_fill",
    },
    { field: `${path}[1].number`, description: "'step_scale' is 500; give a number from 0.01 to 100" },
    { field: `${path}[2].choice`, description: '\'schedule\' is "linear"; give one of cosine, constant' },
    { field: `${path}[3].choice`, description: '\'last_step\' is "small"; give a number from 0.0001 to 1' },
    { field: `${path}[4].number`, description: "'random_start' is not given; set number" },
    { field: `${path}[5].name`, description: "'random_start' is given twice" },
  ]);
  assert.deepEqual(await violations({ attack: 'noise', parameters: [number('constructor', 1)] }), [
    {
      field: `${path}[0].name`,
      description: "'constructor' is no parameter of attack 'noise', which takes distribution",
    },
  ]);
});

test('a norm that an attack does not offer is refused', async () => {
  assert.deepEqual(await violations({ norm: attack.Norm.NORM_L0 }), [
    { field: 'threat_model.norm', description: "'pgd' has no l0 form; it has linf, l2, l1" },
  ]);
});

test('several variables are refused where an attack can only have one', async () => {
  const variables = ['waveform', 'frames'].map((variable) => attack.VariableBudget.fromPartial({ variable, rho: 1 }));
  const changes = { attack: 'sigma_zero', norm: attack.Norm.NORM_L0, variables, rungs: [] };
  assert.deepEqual(await violations(changes), [
    {
      field: 'threat_model.variables',
      description: "are 2; 'sigma_zero' attacks 1 at once: leave the others out, or use another attack",
    },
  ]);
  assert.deepEqual(await violations({ ...changes, variables: variables.slice(0, 1) }), []);
});

test('a domain is checked against the input', async () => {
  const variable = attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 0.1 });
  const { DOMAIN_AMPLITUDE, DOMAIN_PIXELS } = attack.Domain;
  assert.deepEqual(await violations({ variables: [{ ...variable, domain: DOMAIN_AMPLITUDE }] }), []);
  assert.deepEqual(await violations({ variables: [{ ...variable, domain: DOMAIN_PIXELS }] }), [
    {
      field: 'threat_model.variables[0].domain',
      description: "is DOMAIN_PIXELS; 'waveform' holds DOMAIN_AMPLITUDE",
    },
  ]);
});

test('every default of the catalogue is a value that it takes', () => {
  for (const { name, parameters, norms, summary, source } of catalogue.values()) {
    assert.ok(norms.length > 0 && summary.endsWith('.') && source !== '', name);
    const defaults = defaultValues(parameters);
    for (const [parameter, spec] of Object.entries(parameters)) {
      assert.match(parameter, /^[a-z][a-z0-9_]*$/);
      assert.ok(spec.description.endsWith('.'), `${name}.${parameter}`);
      assert.equal(parameterFault(spec, defaults[parameter] ?? ''), undefined, `${name}.${parameter}`);
    }
  }
});
