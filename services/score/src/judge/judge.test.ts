import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attack, inference } from '@faultline/contracts';
import type { AssessmentReport } from '@faultline/report';
import fc from 'fast-check';
import type { ClipInputs } from '../peers/tensor-rows.ts';
import { victimUnderTest } from '../peers/victim-under-test.ts';
import { threatModel } from '../test-support/linear-campaign.ts';
import { LABELS, linearVictim } from '../test-support/linear-victim.ts';
import type { AttackRecord } from './attack-result.ts';
import type { CleanRun } from './clean-run.ts';
import { inspectCandidate } from './inspect.ts';
import { Ledger } from './ledger.ts';
import { medianOf } from './raw-rung.ts';
import { threatModelResult } from './threat-model-result.ts';
import { judgeCandidate, type Verdict, type Verified } from './verified.ts';

const { card } = linearVictim('v', { waveform: 1, frames: 1 });
const victim = victimUnderTest('v', inference.DescribeResponse.fromPartial({ card, maxExamples: 8 }));
const { STOPPING_EARLY, STOPPING_NEVER } = attack.Stopping;

const clean: ClipInputs = new Map([
  ['waveform', { dims: [2], data: Float32Array.of(0.5, -1) }],
  ['frames', { dims: [2], data: Uint8Array.of(0, 255) }],
]);
const model = threatModel({
  variables: [
    attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 0.1 }),
    attack.VariableBudget.fromPartial({ variable: 'frames', rho: 0.2 }),
  ],
  rungs: [{ scale: 2, stopping: STOPPING_EARLY }],
});

function inspect(waveform: readonly number[], frames: readonly number[]) {
  const adversarial = new Map([
    ['waveform', Float32Array.from(waveform)],
    ['frames', Float32Array.from(frames)],
  ]);
  return inspectCandidate({ rung: 0, clip: 0, adversarial, believedMargin: -1 }, clean, model, victim);
}

test('each variable has its own budget, scale x rho, in float64', () => {
  assert.equal(inspect([0.625, -1], [0.375, 1]).rejection, undefined);
  assert.equal(inspect([0.75, -1], [0, 1]).rejection, 'over-budget');
  assert.equal(inspect([0.5, -1], [0.5, 1]).rejection, 'over-budget');
  const { measured } = inspect([0.625, -1], [0.375, 1]);
  assert.equal(measured.get('waveform')?.norm, 0.125);
  assert.equal(measured.get('frames')?.norm, 0.375);
  assert.equal(measured.get('frames')?.rootMeanSquare, 0.375 / Math.SQRT2);
});

test('budgets with a norm, frames or a range of their own are measured as they say', () => {
  const { NORM_L2, NORM_L1 } = attack.Norm;
  const variables = [
    attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 0.25, norm: NORM_L2, high: 0.75 }),
    attack.VariableBudget.fromPartial({ variable: 'frames', rho: 0.5, norm: NORM_L1, frames: {} }),
  ];
  const own = (waveform: readonly number[], frames: readonly number[]) => {
    const adversarial = new Map([
      ['waveform', Float32Array.from(waveform)],
      ['frames', Float32Array.from(frames)],
    ]);
    const rungs = [{ scale: 1, stopping: STOPPING_EARLY }];
    return inspectCandidate(
      { rung: 0, clip: 0, adversarial, believedMargin: -1 },
      clean,
      { ...model, variables, rungs },
      victim,
    );
  };
  const { measured, rejection } = own([0.625, -0.875], [0.25, 0.75]);
  assert.equal(rejection, undefined);
  assert.equal(measured.get('waveform')?.norm, Math.hypot(0.125, 0.125));
  assert.equal(measured.get('frames')?.norm, 0.5);
  assert.equal(own([0.75, -0.75], [0, 1]).rejection, 'over-budget');
  assert.equal(own([0.5, -1], [0.5, 0.75]).rejection, 'over-budget');
  assert.equal(own([0.8125, -1], [0, 1]).rejection, 'out-of-range');
});

test('values outside the range, and values that are no numbers, are rejected', () => {
  assert.equal(inspect([0.5, -1.0625], [0, 1]).rejection, 'out-of-range');
  assert.equal(inspect([0.5, -1], [-0.0625, 1]).rejection, 'out-of-range');
  assert.equal(inspect([0.5, Number.NaN], [0, 1]).rejection, 'out-of-range');
});

test('a verdict is what fresh logits say, whatever the attack believes', () => {
  const candidate = { rung: 0, clip: 0, adversarial: new Map(), believedMargin: -1 };
  const fine = { measured: new Map(), scale: 2, rejection: undefined };
  const judge = (logit: number) =>
    judgeCandidate(candidate, fine, Float32Array.of(logit, 0, 0), ['dog'], victim, undefined);
  assert.deepEqual([judge(0).verdict, judge(0).refuted], ['reached', false]);
  assert.deepEqual([judge(1).verdict, judge(1).refuted], ['failed', true]);
  const rejected = { measured: new Map(), scale: 2, rejection: 'over-budget' } as const;
  assert.equal(judgeCandidate(candidate, rejected, undefined, ['dog'], victim, undefined).verdict, 'over-budget');
});

test('a ledger keeps the smallest scale of each clip, whatever the order', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 1, max: 9 }))), (successes) => {
      const ledger = new Ledger([false, true, false, false]);
      for (const [clip, scale] of successes) ledger.record(clip, scale, 'pgd');
      for (const clip of [0, 2, 3]) {
        const scales = successes.filter(([one]) => one === clip).map(([, scale]) => scale);
        assert.equal(ledger.criticals[clip], scales.length === 0 ? null : Math.min(...scales));
      }
      assert.equal(ledger.criticals[1], 0, 'off when clean stays at 0');
    }),
  );
});

test('search intervals name the largest scale tried without success', () => {
  const ledger = new Ledger([false, true, false]);
  ledger.record(0, 2, 'pgd');
  ledger.recordFailures(
    new Map([
      [0, 1.9],
      [2, 0.5],
    ]),
  );
  assert.deepEqual(ledger.intervals([1, 2, 4]), [
    { triedWithout: 1.9, critical: 2, attack: 'pgd' },
    { triedWithout: 0, critical: 0, attack: null },
    { triedWithout: 4, critical: null, attack: null },
  ]);
  assert.deepEqual(ledger.intervals([])[2], { triedWithout: 0.5, critical: null, attack: null });
});

test('the median is one of the values', () => {
  assert.equal(medianOf([3, 1, 2]), 2);
  assert.equal(medianOf([4, 1, 2, 3]), 2);
  assert.equal(medianOf([]), undefined);
});

const run: CleanRun = {
  clips: 4,
  labels: LABELS.length,
  logits: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0),
  targets: Float32Array.of(1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0),
  margins: [0.75, 0.75, 0.75, -0.25],
  off: [false, false, false, true],
};

const SCALES = [1, 2, 4];

function verified(rung: number, clip: number, verdict: Verdict): Verified {
  const logits = verdict === 'reached' || verdict === 'failed' ? Float32Array.of(0, 0, 0) : undefined;
  const scale = SCALES[rung] ?? Number.NaN;
  return { rung, clip, scale, verdict, refuted: false, measured: new Map(), logits, margin: 0 };
}

const pgd = attack.AttackDescription.fromPartial({
  name: 'pgd',
  knowledge: attack.AttackKnowledge.ATTACK_KNOWLEDGE_GRADIENTS,
});
const NO_COST = { forwardExamples: 0, gradientExamples: 0 };

/** What an attack left on the ladder of `resultOf`. */
function record(name: string, candidates: readonly Verified[], more: Partial<AttackRecord> = {}): AttackRecord {
  const model = threatModel({
    rungs: SCALES.map((scale) => ({ scale, stopping: scale === 2 ? STOPPING_NEVER : STOPPING_EARLY })),
  });
  const planned = { name, description: pgd, model };
  return { attack: planned, verified: candidates, failedScales: new Map(), evidence: [], cost: NO_COST, ...more };
}

const SOUND: AssessmentReport = { verdict: 'sound', reason: '', remedy: null, findings: [], cost: NO_COST };

function resultOf(
  attacks: readonly Verified[] | readonly AttackRecord[],
  noise: readonly Verified[],
  assessment = SOUND,
) {
  const records = attacks.every((one) => 'verdict' in one) ? [record('pgd', attacks)] : attacks;
  return threatModelResult({
    victim,
    threatModel: record('pgd', []).attack.model,
    clean: run,
    labels: [['dog'], ['bird'], ['horse'], ['dog']],
    limit: 4,
    attacks: records,
    noises: [record('signs', noise)],
    groups: [['a'], ['b'], ['c'], ['d']],
    paired: [0, 1],
    seed: 1,
    assessment,
    verificationCost: NO_COST,
  });
}

test('figures from a ledger: off when clean is 0, larger budgets include smaller ones, noise stays apart', () => {
  const result = resultOf(
    [verified(0, 0, 'reached'), verified(1, 0, 'failed'), verified(1, 1, 'reached'), verified(1, 2, 'over-budget')],
    [verified(2, 2, 'reached')],
  );
  assert.deepEqual(
    result.ladder.map((row) => row.robustAccuracy),
    [0.5, 0.25, 0.25],
  );
  assert.deepEqual(
    result.ladder.map((row) => row.noiseAccuracy),
    [0.75, 0.75, 0.5],
  );
  assert.equal(result.headline.medianCriticalScale, 1);
  assert.equal(result.headline.robustnessScore, (1 + 2 + 4 + 0) / 4 / 4);
  assert.deepEqual(result.paired, {
    clips: 2,
    medianCriticalScale: 1,
    robustnessScore: (1 + 2) / 2 / 4,
    robustAccuracy: [0.5, 0, 0],
  });
  assert.equal(result.noise.medianCriticalScale, 4);
});

test('flags name inversions, rejected and missing candidates, and a censored ladder', () => {
  const result = resultOf(
    [verified(0, 0, 'reached'), verified(1, 0, 'failed'), verified(1, 1, 'reached'), verified(1, 2, 'over-budget')],
    [],
  );
  assert.deepEqual(
    result.flags.map(({ code, count }) => [code, count]),
    [
      ['over-budget', 1],
      ['missing-candidates', 1],
      ['inversion', 1],
      ['censored', 1],
    ],
  );
});

test('an attack that does no better than noise is flagged', () => {
  const codes = (attacks: readonly Verified[], noise: readonly Verified[]) =>
    resultOf(attacks, noise).flags.filter((flag) => flag.code === 'no-better-than-noise');
  assert.equal(codes([], [])[0]?.count, 3);
  assert.equal(codes([], [verified(2, 0, 'reached')])[0]?.count, 1);
  assert.deepEqual(codes([verified(0, 0, 'reached')], []), []);
});

test('robust ranking counts a clip without an acceptable candidate as clean', () => {
  const all = [0, 1, 2, 3].map((clip) => verified(1, clip, clip === 1 ? 'over-budget' : 'failed'));
  const ranking = resultOf(all, []).ladder[1]?.ranking;
  // Only clip 1 keeps its clean logits, so only its label still ranks first.
  assert.equal(ranking?.areaUnderCurve, (0.5 + 1 + 0.5 - 0.5 / 4 - 0.5 / 3 + 0.5 / 4 + 0.5 / 3) / 3);
});

test('the headline is the best of all attacks, each of which is seen by itself', () => {
  const searched: Verified = { ...verified(0, 2, 'reached'), rung: undefined, scale: 0.5 };
  const search = record('fmn', [searched], { failedScales: new Map([[2, 0.4]]) });
  const result = resultOf(
    [
      record('pgd', [verified(1, 0, 'reached')]),
      { ...search, attack: { ...search.attack, model: threatModel({ rungs: [] }) } },
    ],
    [],
  );
  assert.deepEqual(
    result.ladder.map((row) => row.robustAccuracy),
    [0.5, 0.25, 0.25],
  );
  assert.deepEqual(
    result.attacks.map(({ name, form, robustAccuracy }) => [name, form, robustAccuracy]),
    [
      ['pgd', 'ladder', [0.75, 0.5, 0.5]],
      ['fmn', 'search', [0.5, 0.5, 0.5]],
    ],
  );
  assert.deepEqual(result.criticals[2], { triedWithout: 0.4, critical: 0.5, attack: 'fmn' });
  assert.equal(result.attacks[1]?.search?.verified, 1);
});

test('an attack without gradients that beats those with them is flagged', () => {
  const { ATTACK_KNOWLEDGE_SCORES } = attack.AttackKnowledge;
  const blind = record('square', [verified(0, 1, 'reached'), verified(1, 2, 'reached')]);
  const square = { ...blind, attack: { ...blind.attack, description: { ...pgd, knowledge: ATTACK_KNOWLEDGE_SCORES } } };
  const seeing = record('pgd', [verified(0, 0, 'reached'), verified(1, 1, 'reached'), verified(1, 2, 'reached')]);
  const flag = resultOf([seeing, square], []).flags.find(({ code }) => code === 'knowledge-inversion');
  assert.equal(flag?.count, 1, 'clip 1, at a smaller rung; clip 2 falls at the same');
});

test('robust accuracy never rises with the budget, and never lies above that of any attack', () => {
  const candidates = fc.array(
    fc.tuple(fc.nat(2), fc.nat(3), fc.constantFrom<Verdict>('reached', 'failed', 'over-budget')),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(fc.array(candidates, { minLength: 1, maxLength: 3 }), (attacks) => {
      const records = attacks.map((some, index) =>
        record(
          `attack-${index}`,
          some.map(([rung, clip, verdict]) => verified(rung, clip, verdict)),
        ),
      );
      const { ladder, attacks: own } = resultOf(records, []);
      const curve = ladder.map((row) => row.robustAccuracy);
      assert.deepEqual(
        curve,
        curve.toSorted((a, b) => b - a),
      );
      for (const [rung, share] of curve.entries())
        for (const { robustAccuracy } of own) assert.ok(share <= (robustAccuracy[rung] ?? 0));
    }),
    { numRuns: 40 },
  );
});

test('labels that an attack switches beside its goal are counted on the smallest success of each clip', () => {
  const with3 = (one: Verified, logits: readonly number[]) => ({ ...one, logits: Float32Array.from(logits) });
  const { collateral } = resultOf(
    [
      with3(verified(0, 0, 'reached'), [0, 1, 1]),
      with3(verified(2, 0, 'reached'), [0, 0, 0]),
      with3(verified(0, 1, 'reached'), [0, 0, 0]),
      with3(verified(0, 2, 'failed'), [1, 1, 1]),
    ],
    [],
  );
  assert.deepEqual(collateral, { clips: 2, changed: 1, turnedOff: 0, turnedOn: 2 });
});

test('what changes outside its region is rejected, however small', () => {
  const size = 32;
  const still: ClipInputs = new Map([['waveform', { dims: [size], data: new Float32Array(size) }]]);
  const region = attack.Region.fromPartial({ windows: [{ startSeconds: 0, endSeconds: 0.001 }] });
  const confined = threatModel({
    variables: [attack.VariableBudget.fromPartial({ variable: 'waveform', rho: 0.1, region })],
  });
  const at = (sample: number) => {
    const waveform = Float32Array.from({ length: size }, (_, index) => (index === sample ? 1e-6 : 0));
    const candidate = { rung: 0, clip: 0, adversarial: new Map([['waveform', waveform]]), believedMargin: -1 };
    return inspectCandidate(candidate, still, confined, victim).rejection;
  };
  // 16 kHz: the first millisecond is the first 16 samples.
  assert.deepEqual([at(15), at(16)], [undefined, 'outside-region']);
});

test('a withheld score is absent, with its reason; what the attacks reached all the same stays', () => {
  const findings = [{ indicator: 'zero-gradient', reason: 'the gradient is 0', clips: 2, of: 2 }];
  const withheld: AssessmentReport = { ...SOUND, verdict: 'withheld', reason: 'the gradient is 0', findings };
  const result = resultOf([verified(1, 1, 'reached')], [], withheld);
  assert.deepEqual(result.headline, { clips: 4, medianCriticalScale: null, robustnessScore: null, interval: null });
  assert.deepEqual([result.paired?.robustnessScore, result.paired?.medianCriticalScale], [null, null]);
  assert.equal(result.criticals[1]?.critical, resultOf([verified(1, 1, 'reached')], []).criticals[1]?.critical);
  assert.deepEqual(
    result.flags.filter(({ code }) => code === 'withheld'),
    [{ code: 'withheld', message: 'the robustness score is withheld: the gradient is 0', count: 2 }],
  );
});
