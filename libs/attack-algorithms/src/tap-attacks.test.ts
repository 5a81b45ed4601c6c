import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import { perturbationSize, referenceSize } from '@faultline/metrics';
import { verdictTolerance } from '@faultline/victim';
import fc from 'fast-check';
import type { NormName } from './attack.ts';
import { catalogue } from './catalogue.ts';
import { AttackRequestError } from './faults.ts';
import { runAttack } from './run-attack.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { criticalScale, optimalMargin } from './testing/linear-optimum.ts';
import { collectSearch } from './testing/search-setting.ts';
import { HIDDEN_DIMS, LABELS, TapVictim } from './testing/tap-victim.ts';

const TAP = 'hidden';
const CLIPS = 3;
const under = await TapVictim.create(5);
after(() => under[Symbol.asyncDispose]());

const inputs = under.clips(CLIPS, 6);
const clean = await under.standing(inputs);
const highest = (clip: number, count: number) =>
  [...(clean.margins[clip] ?? []).entries()]
    .sort(([, a], [, b]) => b - a)
    .map(([label]) => label)
    .slice(0, count);
const everyClip = Array.from({ length: CLIPS }, (_, clip) => clip);
const tapOf = (clip: number) => clean.taps[clip] ?? new Float32Array();
const RELATIVE = new Map([[TAP, { relative: true }]]);

/** A run at the tap, with a relative budget unless `own` says otherwise. */
const tapRun = (options: Partial<RunOptions> & Pick<RunOptions, 'norm'>) =>
  runOf({
    inputs,
    labels: everyClip.map((clip) => highest(clip, 1)),
    labelCount: LABELS,
    budgets: new Map([[TAP, 1]]),
    own: RELATIVE,
    rungs: [],
    ...options,
  });

/** The fresh margin of a clip whose tap is replaced. */
async function freshMargin(clip: number, point: Float32Array, trueLabels: readonly number[]): Promise<number> {
  const one = new Map(
    [...inputs].map(([name, { dims, data }]) => {
      const size = data.length / CLIPS;
      return [name, { dims: [1, ...dims.slice(1)], data: data.subarray(clip * size, (clip + 1) * size) }];
    }),
  );
  const tapValues = new Map([[TAP, { dims: [1, ...HIDDEN_DIMS], data: point }]]);
  const { logits } = await under.victim.predict(one, { tapValues });
  return Math.max(...trueLabels.map((label) => (logits.data[label] ?? 0) - (under.card.labels[label]?.threshold ?? 0)));
}

/** Every attack that takes taps, in each of the norms that taps take. */
const NORMS = ['linf', 'l2', 'l1'] as const satisfies NormName[];
const ABLE = [...catalogue.values()].flatMap((row) =>
  row.kind === 'universal' || row.attacksTaps !== true
    ? []
    : row.norms.filter((norm) => norm !== 'l0').map((norm) => ({ name: row.name, kind: row.kind, norm })),
);

for (const { name, norm } of ABLE.filter(({ kind }) => kind !== 'minimum norm')) {
  test(`${name} keeps relative ${norm} budgets at a tap in float64, from the clean tap that the caller read`, async () => {
    const scales = [0, 1e-3, 0.03, 0.4];
    await fc.assert(
      fc.asyncProperty(
        fc.record({ share: fc.double({ min: 0.01, max: 2, noNaN: true }), seed: fc.nat(1e6) }),
        async ({ share, seed }) => {
          const run = tapRun({
            norm,
            attack: name,
            seed,
            steps: 4,
            budgets: new Map([[TAP, share]]),
            rungs: scales.map((scale) => [scale, 'never'] as const),
          });
          const { rows } = await collect(under.victim, run);
          assert.equal(rows.length, CLIPS * scales.length);
          for (const { clip, rung, point } of rows) {
            const epsilon = (scales[rung] ?? Number.NaN) * share * referenceSize(tapOf(clip), norm);
            const size = perturbationSize(point.get(TAP) ?? new Float32Array(), tapOf(clip), { norm });
            assert.ok(size <= epsilon, `clip ${clip}: ${size} exceeds ${epsilon}`);
            // Nothing stops it: nearly all of the budget is used, but for L1, whose steps are sparse, and below what a batch's size moves.
            const isSpared = name === 'apgd' || norm === 'l1' || epsilon < 1e-3 * referenceSize(tapOf(clip), norm);
            assert.ok(isSpared || size >= 0.98 * epsilon, `clip ${clip}: ${size} of ${epsilon}`);
          }
        },
      ),
      { numRuns: 2, seed: 1 },
    );
  });
}

/** Largest excess of the margin over the optimum on the rung of the critical scale, as a share of the clean margin. L1 without a range is won by a single coordinate of 1,200. */
const EXCESS = {
  pgd: { linf: 0.01, l2: 0.01, l1: 0.1 },
  apgd: { linf: 0.01, l2: 0.01, l1: 0.1 },
  fgsm: { linf: 1e-3, l2: 1e-3, l1: 1e-3 },
} as const;
for (const name of ['pgd', 'apgd', 'fgsm'] as const) {
  for (const norm of NORMS) {
    for (const count of name === 'fgsm' || norm === 'l1' ? [1] : [1, 2]) {
      test(`${name} reaches the optimum at a tap: relative ${norm}, ${count} label(s)`, async () => {
        const labels = everyClip.map((clip) => highest(clip, count));
        // The clips' taps differ in size: a share that is right for one is not for another.
        const problems = everyClip.map((clip) => {
          const rho = referenceSize(tapOf(clip), norm);
          return under.problem(clean.margins[clip] ?? [], labels[clip] ?? [], norm, rho);
        });
        const ladder = problems.map((problem, clip) => ({ clip, problem, scale: criticalScale(problem) }));
        const sorted = ladder.toSorted((a, b) => a.scale - b.scale);
        const rungs = sorted.map(({ scale }) => [scale, 'never'] as const);
        // Step sizes that APGD halves by itself come to rest late where two labels are level.
        const steps = name === 'apgd' && norm === 'linf' && count > 1 ? 250 : 100;
        const { rows } = await collect(under.victim, tapRun({ norm, attack: name, labels, steps, rungs }));
        for (const [rung, { clip, problem, scale }] of sorted.entries()) {
          const found = rows.find((row) => row.clip === clip && row.rung === rung);
          const fresh = await freshMargin(clip, found?.point.get(TAP) ?? new Float32Array(), labels[clip] ?? []);
          const share = (fresh - optimalMargin(problem, scale)) / optimalMargin(problem, 0);
          assert.ok(share <= EXCESS[name][norm], `clip ${clip}: ${share} of the clean margin above the optimum`);
        }
      });
    }
  }
}

interface Search {
  readonly attack: string;
  readonly norm: NormName;
  readonly parameters?: Readonly<Record<string, number>>;
  readonly isRelative?: boolean;
  readonly tolerance: number;
}
const SEARCHES: readonly Search[] = [
  { attack: 'fmn', norm: 'linf', tolerance: 0.02 },
  { attack: 'fmn', norm: 'l2', tolerance: 0.02 },
  { attack: 'fmn', norm: 'l2', isRelative: false, tolerance: 0.02 },
  // Steps as long as it takes for one coordinate of 1,200 to leave the others behind.
  { attack: 'fmn', norm: 'l1', parameters: { step_size: 20 }, tolerance: 0.02 },
  { attack: 'ddn', norm: 'l2', parameters: { first_scale: 0.1 }, tolerance: 0.02 },
  { attack: 'deepfool', norm: 'l2', tolerance: 0.05 },
  { attack: 'pgd', norm: 'l2', tolerance: 0.02 },
];
for (const { attack: name, norm, parameters = {}, isRelative = true, tolerance } of SEARCHES) {
  test(`${name} finds the smallest ${isRelative ? 'share' : 'size'} at a tap: ${norm}`, async () => {
    const own = isRelative ? RELATIVE : new Map();
    const run = tapRun({ norm, attack: name, own, parameters, steps: name === 'pgd' ? 30 : 100 });
    const { found } = await collectSearch(under.victim, run);
    assert.equal(found.length, CLIPS);
    for (const { clip, reachedScale, point } of found) {
      const rho = isRelative ? referenceSize(tapOf(clip), norm) : 1;
      const optimum = criticalScale(under.problem(clean.margins[clip] ?? [], highest(clip, 1), norm, rho));
      assert.ok(reachedScale !== undefined, `clip ${clip}: nothing found`);
      const values = point.get(TAP) ?? new Float32Array();
      const size = perturbationSize(values, tapOf(clip), { norm });
      assert.ok(Math.abs(size / rho - reachedScale) <= 1e-9 * reachedScale);
      assert.ok(reachedScale <= optimum * (1 + tolerance), `clip ${clip}: ${reachedScale}, optimum ${optimum}`);
      assert.ok(reachedScale >= optimum * 0.999);
      assert.ok((await freshMargin(clip, values, highest(clip, 1))) <= -verdictTolerance(under.card));
    }
  });
}

test('a tap and an input beside it share a scale, and clean values of the caller count', async () => {
  const taps = new Map([
    [TAP, { dims: [CLIPS, ...HIDDEN_DIMS], data: Float32Array.from(clean.taps.flatMap((tap) => [...tap])) }],
  ]);
  const run = tapRun({
    norm: 'linf',
    attack: 'pgd',
    budgets: new Map([
      [TAP, 1],
      ['frames', 0.5],
    ]),
    rungs: [[0.02, 'never']],
  });
  const [read, given] = [await collect(under.victim, run), await collect(under.victim, { ...run, taps })];
  assert.deepEqual(given.rows, read.rows);
  // The reading of taps is counted.
  const costOf = async (one: typeof run) => {
    for await (const event of runAttack(under.victim, one))
      if (event.kind === 'cost') return event.cost.forwardExamples;
    return Number.NaN;
  };
  assert.equal((await costOf(run)) - (await costOf({ ...run, taps })), CLIPS);
  for (const { clip, point } of read.rows) {
    const pixels = inputs.get('frames')?.data.subarray(clip * 96, (clip + 1) * 96) ?? new Float32Array();
    assert.ok(perturbationSize(point.get('frames') ?? new Float32Array(), pixels, { norm: 'linf' }) <= 0.01);
  }
});

test('relative budgets of inputs are shares of the clean input', async () => {
  const run = tapRun({
    norm: 'l2',
    budgets: new Map([['waveform', 0.1]]),
    own: new Map([['waveform', { relative: true }]]),
    rungs: [[1, 'never']],
  });
  for (const { clip, point } of (await collect(under.victim, run)).rows) {
    const wave = inputs.get('waveform')?.data.subarray(clip * 60, (clip + 1) * 60) ?? new Float32Array();
    const size = perturbationSize(point.get('waveform') ?? new Float32Array(), wave, { norm: 'l2' });
    assert.ok(size <= 0.1 * referenceSize(wave, 'l2') && size > 0.09 * referenceSize(wave, 'l2'));
  }
});

const REFUSED: readonly [about: string, options: Partial<RunOptions> & Pick<RunOptions, 'norm'>, message: RegExp][] = [
  [
    'attacks that need a range',
    { norm: 'linf', attack: 'square', rungs: [[1, 'early']] },
    /'hidden' is a tap, whose values have no range, which 'square' needs: use one of pgd, apgd/,
  ],
  ['counts', { norm: 'l0', attack: 'fmn' }, /is NORM_L0; values of a tap have no range/],
  [
    'shares of counts',
    {
      norm: 'l0',
      attack: 'fmn',
      budgets: new Map([['waveform', 1]]),
      own: new Map([['waveform', { relative: true }]]),
    },
    /relative: comes with NORM_L0/,
  ],
  ['ranges', { norm: 'l2', own: new Map([[TAP, { low: -1 }]]) }, /low: is for inputs; 'hidden' is a tap/],
  ['frames', { norm: 'l2', own: new Map([[TAP, { frames: { seconds: 0 } }]]) }, /frames: is for inputs/],
  [
    'regions',
    { norm: 'l2', regions: new Map([[TAP, attack.Region.fromPartial({ frames: [0] })]]) },
    /region: is for inputs/,
  ],
  [
    'domains of inputs',
    { norm: 'l2', own: new Map([[TAP, { domain: attack.Domain.DOMAIN_LOG_MEL }]]) },
    /is DOMAIN_LOG_MEL; 'hidden' holds DOMAIN_FEATURES/,
  ],
  [
    'unknown names',
    { norm: 'l2', budgets: new Map([['smell', 1]]) },
    /'smell' is no input or tap of victim 'tap-victim' \(inputs waveform, frames; taps hidden\)/,
  ],
];
for (const [about, options, message] of REFUSED) {
  test(`at a tap are refused: ${about}`, async () => {
    await assert.rejects(collect(under.victim, tapRun(options)), (error) => {
      assert.ok(error instanceof AttackRequestError);
      assert.match(error.message, message);
      return true;
    });
  });
}

test('a tap beside an input that decides its value is refused', async () => {
  const budgets = new Map([
    [TAP, 1],
    ['waveform', 0.1],
  ]);
  const run = tapRun({ norm: 'linf', budgets, rungs: [[1, 'early']] });
  await assert.rejects(collect(under.victim, run), /'hidden' is a tap whose value variable 'waveform' decides/);
});
