import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attack, score } from '@faultline/contracts';
import { specificationJson } from '../campaign/specification-json.ts';
import { specificationFields, threatModelTable } from './specification-text.ts';

/** A message with every field set, optional ones too: one that is new in the contract is missed by the compiler. */
type Whole<Message> = Message extends (infer Element)[]
  ? Whole<Element>[]
  : Message extends object
    ? { [Field in keyof Message]-?: Whole<Exclude<Message[Field], undefined>> }
    : Message;

const VARIABLE: Whole<attack.VariableBudget> = {
  variable: 'waveform',
  rho: 0.25,
  region: {
    windows: [{ startSeconds: 0.5, endSeconds: 1 }],
    frames: [3],
    boxes: [{ left: 0.1, top: 0.2, right: 0.3, bottom: 0.4 }],
    bands: [{ lowHz: 300, highHz: 3400 }],
  },
  domain: attack.Domain.DOMAIN_AMPLITUDE,
  norm: attack.Norm.NORM_L2,
  frames: { seconds: 0.02 },
  stepScale: 0.7,
  low: -0.6,
  high: 0.8,
  weighting: attack.Weighting.WEIGHTING_MASKING,
  relative: true,
};

const FURTHER: Whole<attack.FurtherAttack> = {
  name: 'second',
  attack: 'square',
  steps: 31,
  restarts: 4,
  parameters: [{ name: 'queries', value: { $case: 'number', value: 500 } }],
  surrogate: 'early',
};

const MODEL: Whole<attack.ThreatModel> = {
  name: 'everything',
  variables: [VARIABLE],
  norm: attack.Norm.NORM_LINF,
  rungs: [
    { scale: 2, stopping: attack.Stopping.STOPPING_EARLY },
    { scale: 5, stopping: attack.Stopping.STOPPING_NEVER },
  ],
  attack: 'transfer',
  steps: 17,
  restarts: 3,
  seed: 11,
  parameters: [{ name: 'method', value: { $case: 'choice', value: 'pgd' } }],
  goal: { kind: attack.GoalKind.GOAL_KIND_TOP_K, label: 'dog', k: 6 },
  maxScale: 40,
  furtherAttacks: [FURTHER],
  attackName: 'first',
  craft: { choice: { $case: 'stratum', value: 'seen' } },
  surrogate: 'mid',
};

const SPECIFICATION: Whole<score.CampaignSpecification> = {
  name: 'whole',
  victims: ['late'],
  clips: { set: 'other', limit: 9 },
  threatModels: [MODEL, { ...MODEL, name: 'share', craft: { choice: { $case: 'share', value: 0.3 } } }],
  seed: 7,
  keepAdversarial: true,
  writeBack: ['lossless'],
};

const printed = (specification: score.CampaignSpecification) =>
  [...specificationFields(specification).flat(), ...threatModelTable(specification)].join('\n');

type Path = readonly (string | number)[];

/** Every field of a message that holds a value of its own. */
function* leavesOf(value: unknown, path: Path = []): Generator<Path> {
  if (typeof value !== 'object' || value === null) yield path;
  else if (Array.isArray(value)) for (const [index, item] of value.entries()) yield* leavesOf(item, [...path, index]);
  else for (const [field, item] of Object.entries(value)) yield* leavesOf(item, [...path, field]);
}

/** A copy without the value there. */
function without(value: unknown, [first, ...rest]: Path): unknown {
  if (Array.isArray(value)) {
    return value.flatMap((item, index) => (index !== first ? [item] : rest.length === 0 ? [] : [without(item, rest)]));
  }
  const entries = Object.entries(Object(value));
  return Object.fromEntries(
    entries.flatMap(([field, item]) =>
      field !== first ? [[field, item]] : rest.length === 0 ? [] : [[field, without(item, rest)]],
    ),
  );
}

test('whatever a specification says is told, as text and as JSON; but its name, which is the campaign’s', () => {
  const whole = score.CampaignSpecification.toJSON(SPECIFICATION);
  const [text, json] = [printed(SPECIFICATION), JSON.stringify(specificationJson(SPECIFICATION))];
  const paths = [...leavesOf(whole)];
  assert.ok(paths.length > 80, `${paths.length} fields`);
  const untold = paths.filter((path) => {
    const less = score.CampaignSpecification.fromJSON(without(whole, path));
    return printed(less) === text || JSON.stringify(specificationJson(less)) === json;
  });
  assert.deepEqual(untold, [['name']]);
});

test('what is usual is told in short', () => {
  const variables = [attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 0.001 })];
  const rungs = [{ scale: 4, stopping: attack.Stopping.STOPPING_NEVER }];
  const craft: attack.CraftingSplit = { choice: { $case: 'stratum', value: 'seen' } };
  const plain = { name: 'universal', variables, rungs, norm: attack.Norm.NORM_LINF, attack: 'universal', steps: 20 };
  const threatModels = [attack.ThreatModel.fromPartial({ ...plain, restarts: 1, seed: 1, craft })];
  const [, line] = threatModelTable(score.CampaignSpecification.fromPartial({ seed: 1, threatModels }));
  assert.match(line ?? '', /^universal +linf +waveform 0\.001 +4 +universal, 20 steps; crafted on stratum seen$/);
});
