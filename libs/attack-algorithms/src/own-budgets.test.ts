import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack } from '@faultline/contracts';
import { perturbationSize } from '@faultline/metrics';
import { valueRange } from '@faultline/victim';
import fc from 'fast-check';
import { AttackRequestError } from './faults.ts';
import { runAttack } from './run-attack.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { HardSetting } from './testing/hard-setting.ts';
import { criticalScale, optimalMargin } from './testing/linear-optimum.ts';
import { floats } from './testing/linear-victim.ts';

const { NORM_LINF, NORM_L2, NORM_L1, NORM_L0 } = attack.Norm;
const SAMPLE_RATE_HZ = 16_000;
const PICTURE = 3 * 12 * 10;

const setting = await HardSetting.create();
after(() => setting[Symbol.asyncDispose]());
const { clips, linear, masks } = setting;

/** Budgets that differ from variable to variable, as a request says them and as the closed form takes them. */
const MIXTURES = {
  'waveform in L2, frames in L-inf': {
    norm: 'l2',
    budgets: { waveform: 6, frames: 0.2 },
    own: { frames: { norm: NORM_LINF } },
    closed: { frames: { norm: 'linf' } },
  },
  'waveform in L2 per frame of 90 samples, frames in L-inf': {
    norm: 'linf',
    budgets: { waveform: 2, frames: 0.2 },
    own: { waveform: { norm: NORM_L2, frames: { seconds: 90 / SAMPLE_RATE_HZ } } },
    closed: { waveform: { norm: 'l2', frameSize: 90 } },
  },
  'both in L2, per frame': {
    norm: 'l2',
    budgets: { waveform: 2, frames: 3 },
    own: { waveform: { frames: { seconds: 0.00625 } }, frames: { frames: {} } },
    closed: { waveform: { frameSize: 100 }, frames: { frameSize: PICTURE } },
  },
} as const;

const mapOf = <Value>(record: object): Map<string, Value> => new Map(Object.entries(record));

for (const [what, mixture] of Object.entries(MIXTURES)) {
  for (const [algorithm, steps] of [
    ['pgd', 60],
    ['apgd', 100],
  ] as const) {
    test(`${algorithm} reaches the optimum: ${what}`, async () => {
      const budgets = mapOf<number>(mixture.budgets);
      // One true label is the harder case for step sizes, two for directions; APGD's are the same.
      const cases = [
        [0, 1],
        [1, 2],
      ] as const;
      for (const [clip, labels] of algorithm === 'pgd' ? cases : cases.slice(1)) {
        const active = setting.byMargin(clip).slice(0, labels);
        const problem = linear.problem(clips, clip, active, mixture.norm, budgets, masks, mapOf(mixture.closed));
        const critical = criticalScale(problem);
        const { rows } = await collect(
          linear.victim,
          runOf({
            inputs: setting.inputsOf(clip),
            labels: [active],
            labelCount: 3,
            norm: mixture.norm,
            budgets,
            own: mapOf(mixture.own),
            attack: algorithm,
            rungs: [
              [critical * 0.99, 'early'],
              [critical, 'never'],
              [critical * 1.01, 'early'],
            ],
            steps,
            masks,
          }),
        );
        const margin = rows.find(({ rung }) => rung === 1)?.margin ?? Number.NaN;
        const gap = margin - optimalMargin(problem, critical);
        const clean = Math.max(...problem.margins);
        assert.ok(gap > -1e-3 * clean && gap < 0.01 * clean, `clip ${clip}: gap ${gap} of ${clean}`);
        assert.deepEqual(rows.map(({ rung }) => rung).sort(), [1, 2], `clip ${clip}`);
      }
    });
  }
}

test('bisection finds the critical scale of norms side by side', async () => {
  const { norm, budgets, own, closed } = MIXTURES['waveform in L2, frames in L-inf'];
  const active = setting.byMargin(2).slice(0, 1);
  const run = runOf({
    inputs: setting.inputsOf(2),
    labels: [active],
    labelCount: 3,
    norm,
    budgets: mapOf(budgets),
    own: mapOf(own),
    rungs: [],
    steps: 60,
  });
  const problem = linear.problem(clips, 2, active, norm, mapOf(budgets), new Map(), mapOf(closed));
  let found = 0;
  for await (const event of runAttack(linear.victim, run)) {
    if (event.kind === 'search') found += event.result.scales[0] ?? Number.NaN;
  }
  const share = found / criticalScale(problem);
  assert.ok(share > 0.999 && share < 1.02, `${share} of the optimum`);
});

const NORM_NUMBERS = { linf: NORM_LINF, l2: NORM_L2, l1: NORM_L1 } as const;

/** Attacks with the norms that they take side by side. */
const MIXING = {
  pgd: ['linf', 'l2', 'l1'],
  fgsm: ['linf', 'l2', 'l1'],
  'mi-fgsm': ['linf', 'l2'],
  apgd: ['linf', 'l2'],
  noise: ['linf', 'l2', 'l1'],
} as const;

for (const [algorithm, norms] of Object.entries(MIXING)) {
  test(`${algorithm} keeps budgets of each variable, frames and narrowed ranges in float64`, async () => {
    const norm = fc.constantFrom<keyof typeof NORM_NUMBERS>(...norms);
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          sound: norm,
          picture: norm,
          frameSamples: fc.option(fc.integer({ min: 1, max: 800 })),
          perPicture: fc.boolean(),
          exponent: fc.double({ min: -4, max: 0.5, noNaN: true }),
          atTheBox: fc.constantFrom(0, 0.4),
          low: fc.double({ min: -1, max: -0.1, noNaN: true }),
          high: fc.double({ min: 0.1, max: 1, noNaN: true }),
          stepScale: fc.constantFrom(0.3, 4),
          seed: fc.integer({ min: 0, max: 1e6 }),
        }),
        async ({ sound, picture, frameSamples, perPicture, exponent, atTheBox, low, high, stepScale, seed }) => {
          const inputs = linear.clips(1, atTheBox, seed);
          const rho = 10 ** exponent;
          const frameSize = sound === 'l1' ? null : frameSamples;
          const pictureFrames = perPicture && picture !== 'l1';
          const own = mapOf<object>({
            waveform: {
              norm: NORM_NUMBERS[sound],
              frames: frameSize === null ? undefined : { seconds: frameSize / SAMPLE_RATE_HZ },
              low,
              high,
              stepScale,
            },
            frames: { norm: NORM_NUMBERS[picture], frames: pictureFrames ? {} : undefined },
          });
          const run = runOf({
            inputs,
            labels: [[0]],
            labelCount: 3,
            norm: norms[0],
            budgets: mapOf({ waveform: rho, frames: 0.7 * rho }),
            own,
            attack: algorithm,
            rungs: [
              [0.01, 'never'],
              [1, 'never'],
            ],
            steps: 3,
            seed,
          });
          const { rows } = await collect(linear.victim, run);
          const measures = {
            waveform: { norm: sound, frameSize: frameSize ?? undefined },
            frames: { norm: picture, frameSize: pictureFrames ? PICTURE : undefined },
          };
          for (const { rung, point } of rows) {
            for (const input of linear.card.inputs) {
              const name = input.name === 'waveform' ? 'waveform' : 'frames';
              const epsilon = (rung === 0 ? 0.01 : 1) * (name === 'waveform' ? rho : 0.7 * rho);
              const clean = floats(inputs.get(name));
              const x = point.get(name) ?? new Float32Array();
              const size = perturbationSize(x, clean, measures[name]);
              assert.ok(size <= epsilon, `${name}: ${size} exceeds ${epsilon}`);
              const range = name === 'waveform' ? { low, high } : valueRange(input);
              for (const [i, value] of x.entries()) {
                const start = clean[i] ?? Number.NaN;
                const inside = value >= Math.min(start, range.low) && value <= Math.max(start, range.high);
                assert.ok(inside, `${name}[${i}] is ${value}`);
              }
            }
          }
        },
      ),
      { numRuns: 6, seed: 1 },
    );
  });
}

test('where each frame has a budget, each frame uses it', async () => {
  const inputs = linear.clips(1, 0, 4);
  const options: RunOptions = {
    inputs,
    labels: [[0]],
    labelCount: 3,
    norm: 'l2',
    budgets: mapOf({ waveform: 0.05 }),
    own: mapOf({ waveform: { frames: { seconds: 90 / SAMPLE_RATE_HZ } } }),
    rungs: [[1, 'never']],
  };
  for (const algorithm of ['pgd', 'apgd', 'fgsm', 'mi-fgsm', 'noise']) {
    const { rows } = await collect(linear.victim, runOf({ ...options, attack: algorithm }));
    const [x, clean] = [rows[0]?.point.get('waveform') ?? new Float32Array(), floats(inputs.get('waveform'))];
    for (let first = 0; first < clean.length; first += 90) {
      const [there, here] = [x.subarray(first, first + 90), clean.subarray(first, first + 90)];
      const size = perturbationSize(there, here, { norm: 'l2' });
      assert.ok(size > 0.97 * 0.05 && size <= 0.05, `${algorithm}, frame at ${first}: ${size}`);
    }
  }
});

test('a step of its own makes a variable move more slowly', async () => {
  const options: RunOptions = {
    inputs: linear.clips(1, 0, 4),
    labels: [[0]],
    labelCount: 3,
    norm: 'linf',
    budgets: mapOf({ waveform: 0.05, frames: 0.05 }),
    own: mapOf({ frames: { stepScale: 0.01 } }),
    rungs: [[1, 'never']],
    steps: 4,
    parameters: { random_start: 0 },
  };
  const sizes = await Promise.all(
    ['pgd', 'apgd'].map(async (algorithm) => {
      const { rows } = await collect(linear.victim, runOf({ ...options, attack: algorithm }));
      return ['waveform', 'frames'].map((name) =>
        perturbationSize(rows[0]?.point.get(name) ?? new Float32Array(), floats(options.inputs.get(name)), {
          norm: 'linf',
        }),
      );
    }),
  );
  // Steps of a hundredth: four of at most 2 epsilon each.
  for (const [sound = 0, picture = 0] of sizes) {
    assert.ok(sound > 0.049 && picture > 0 && picture < 4.1 * 2 * 0.01 * 0.05, `${sound} ${picture}`);
  }
});

const FAULTS: [what: string, options: Partial<RunOptions>, field: string, message: RegExp][] = [
  [
    'an attack that takes one norm',
    { attack: 'square', own: mapOf({ frames: { norm: NORM_LINF } }) },
    'variables[1].norm',
    /'square' takes norms l2 and linf for all variables alike: use pgd/,
  ],
  [
    'a norm that does not mix',
    { attack: 'apgd', own: mapOf({ frames: { norm: NORM_L1 } }) },
    'variables[1].norm',
    /linf, l2/,
  ],
  ['a norm that no attack mixes', { own: mapOf({ frames: { norm: NORM_L0 } }) }, 'variables[1].norm', /l2 and l0/],
  ['frames in L1', { norm: 'l1', own: mapOf({ frames: { frames: {} } }) }, 'variables[1].frames', /comes with norm l1/],
  [
    'frames of no length',
    { own: mapOf({ waveform: { frames: {} } }) },
    'variables[0].frames.seconds',
    /is 0; give the length/,
  ],
  [
    'pictures with a length',
    { own: mapOf({ frames: { frames: { seconds: 1 } } }) },
    'variables[1].frames.seconds',
    /leave it out/,
  ],
  [
    'frames beside bands',
    { own: mapOf({ waveform: { frames: { seconds: 0.01 }, region: { bands: [{ lowHz: 100, highHz: 900 }] } } }) },
    'variables[0].frames',
    /comes with bands/,
  ],
  [
    'no step',
    { own: mapOf({ waveform: { stepScale: 0 } }) },
    'variables[0].step_scale',
    /is 0; give a number from 0.001/,
  ],
  [
    'a range upside down',
    { own: mapOf({ waveform: { low: 0.5, high: -0.5 } }) },
    'variables[0].low',
    /leaves \[0.5, -0.5\]/,
  ],
  ['a wider range', { own: mapOf({ frames: { high: 1.5 } }) }, 'variables[1].high', /leaves \[0, 1.5\]/],
];

for (const [what, options, path, message] of FAULTS) {
  test(`${what} is refused, naming the field`, async () => {
    const run = runOf({
      inputs: linear.clips(1, 0, 1),
      labels: [[0]],
      labelCount: 3,
      norm: 'l2',
      budgets: mapOf({ waveform: 1, frames: 1 }),
      rungs: [[1, 'never']],
      ...options,
    });
    await assert.rejects(collect(linear.victim, run), (error) => {
      assert.ok(error instanceof AttackRequestError);
      const violation = error.violations.find(({ field }) => field === `threat_model.${path}`);
      assert.match(violation?.description ?? error.message, message);
      return true;
    });
  });
}
