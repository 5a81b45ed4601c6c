import assert from 'node:assert/strict';
import { test } from 'node:test';
import { victim } from '@faultline/contracts';
import { type AttackOptions, threatModelOf } from './attack-options.ts';
import { threatModelMessage, threatModelSchema } from './threat-model.ts';

const WAVEFORM = victim.InputSpecification.fromPartial({
  name: 'waveform',
  kind: { $case: 'waveform', value: { sampleRateHz: 16_000, samples: 32_000 } },
});
const FRAMES = victim.InputSpecification.fromPartial({
  name: 'frames',
  kind: { $case: 'frames', value: { frameRateHz: 4, frames: 8, height: 64, width: 64 } },
});
const both = victim.Card.fromPartial({ name: 'both', inputs: [FRAMES, WAVEFORM] });
const deaf = victim.Card.fromPartial({ name: 'deaf', inputs: [FRAMES] });

const asked = (options: Partial<AttackOptions>, cards = [both]) =>
  threatModelOf({ attack: 'pgd', norm: 'linf', steps: 20, restarts: 1, codec: [], ...options }, cards);

test('nothing said: the sound, with usual budgets; what all victims have, where one is deaf', () => {
  const { name, variables, ladder } = asked({});
  assert.deepEqual([name, variables], ['linf-waveform', { waveform: 0.0008 }]);
  assert.deepEqual(ladder?.early, [0.125, 0.25, 0.5, 1, 2, 4, 8, 16]);
  assert.deepEqual(asked({ norm: 'l2' }, [both, deaf]).variables, { frames: 0.8 });
});

test('budgets of one variable are epsilons, ascending, each once', () => {
  const { variables, ladder } = asked({ variable: ['frames'], epsilon: [0.4, 0.1, 0.4] });
  assert.deepEqual([variables, ladder?.early], [{ frames: 1 }, [0.1, 0.4]]);
});

test('with budgets at scale 1, given or usual, epsilon is a scale', () => {
  assert.deepEqual(asked({ variable: ['waveform=0.01'], epsilon: [2] }).variables, { waveform: 0.01 });
  const { name, variables, ladder } = asked({ variable: ['waveform', 'frames=0.1'], epsilon: [2] });
  assert.deepEqual([name, variables], ['linf-waveform-frames', { waveform: 0.0008, frames: 0.1 }]);
  assert.deepEqual(ladder?.early, [2]);
});

test('a search has no ladder: where it is asked for, and for attacks that do nothing else; budgets bound it', () => {
  const free = asked({ search: true, norm: 'l1' });
  assert.deepEqual([free.ladder, free.maxScale, free.variables], [undefined, undefined, { waveform: 1 }]);
  const bounded = asked({ attack: 'fmn', variable: ['waveform=0.01'], epsilon: [2, 4] });
  assert.deepEqual([bounded.ladder, bounded.maxScale, bounded.variables], [undefined, 4, { waveform: 0.01 }]);
});

test('one perturbation for all clips makes all steps at a few budgets, and says which clips craft', () => {
  const usual = asked({ attack: 'universal' });
  assert.deepEqual([usual.ladder, usual.craft], [{ never: [4, 16] }, undefined]);
  const { ladder, craft } = asked({ attack: 'universal', epsilon: [0.1], craft: 'stratum=seen' });
  assert.deepEqual([ladder, craft], [{ never: [0.1] }, { stratum: 'seen' }]);
  assert.deepEqual(asked({ attack: 'universal', craft: 'share=0.25' }).craft, { share: 0.25 });
  for (const unfit of ['seen', 'share=1', 'share=', 'stratum=']) {
    assert.throws(() => asked({ attack: 'universal', craft: unfit }), /--craft: .* stratum=NAME nor share=S, above 0/);
  }
  assert.throws(() => asked({ attack: 'universal', search: true }), /--search: universal crafts .* give --epsilon/);
});

test('parameters are numbers where they look like numbers', () => {
  const { parameters } = asked({ parameter: ['step_scale=1.5', 'schedule=constant'] });
  assert.deepEqual(parameters, { step_scale: 1.5, schedule: 'constant' });
});

test('goals have the words of campaign files; a label or k follows', () => {
  const goalOf = (goal: string) => asked({ goal }).goal;
  assert.equal(asked({}).goal, undefined);
  assert.deepEqual(goalOf('deactivate-one'), { kind: 'deactivate-one' });
  assert.deepEqual(goalOf('fabricate-one=dog bark'), { kind: 'fabricate-one', label: 'dog bark' });
  assert.deepEqual(
    [goalOf('top-k'), goalOf('top-k=3')].map((goal) => goal?.k),
    [1, 3],
  );
  assert.equal(asked({ goal: 'targeted=dog', attack: 'fmn' }).name, 'linf-waveform-targeted');
});

for (const [what, options, message] of [
  [
    'an unknown input',
    { variable: ['smell'] },
    /^--variable: no victim has an input or tap smell; there are inputs: frames, waveform; taps: none$/,
  ],
  ['a budget that is none', { variable: ['waveform=-1'] }, /^--variable: waveform=-1: .* above 0/],
  ['no name', { variable: ['=1'] }, /^--variable: "=1" names no input/],
  ['a norm without usual budgets', { norm: 'l1' }, /--variable waveform=RHO.*--epsilon/],
  ['too many budgets', { epsilon: Array.from({ length: 17 }, (_, index) => index + 1) }, /^--epsilon: give at most 16/],
  ['a goal that is none', { goal: 'untargeted' }, /^--goal: "untargeted" is none of deactivate-all, .*top-k/],
  ['a k that is none', { goal: 'top-k=0' }, /^--goal: top-k=0: give a whole number from 1 up$/],
  ['too many steps', { steps: 20_000 }, /^--steps: /],
  ['a parameter without a value', { parameter: ['fast'] }, /^--parameter: "fast" is not NAME=VALUE/],
] as const) {
  test(`${what} is refused, and the message names the option`, () => {
    assert.throws(() => asked(options), { name: 'UsageError', message });
  });
}

test('victims that have nothing in common are attacked one at a time', () => {
  const blind = victim.Card.fromPartial({ name: 'blind', inputs: [WAVEFORM] });
  assert.throws(() => asked({}, [deaf, blind]), { name: 'UsageError', message: /--victim NAME/ });
});

test('a share of the clean value is a relative budget, of inputs and of taps', () => {
  const model = asked({ norm: 'l2', variable: ['audio.log-mel=5%', 'frames=0.5'], epsilon: [1, 2] });
  assert.deepEqual(model.variables, { 'audio.log-mel': { relative: 0.05 }, frames: 0.5 });
  const message = threatModelMessage(threatModelSchema.parse(model), 1);
  assert.deepEqual(
    message.variables.map(({ variable, rho, relative }) => [variable, rho, relative]),
    [
      ['audio.log-mel', 0.05, true],
      ['frames', 0.5, false],
    ],
  );
  const both = threatModelSchema.safeParse({ name: 'x', norm: 'l2', variables: { frames: { rho: 1, relative: 1 } } });
  assert.match(both.error?.message ?? '', /one of the two/);
});
