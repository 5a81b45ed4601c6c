import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { attack, type DenseTensor } from '@faultline/contracts';
import { binFrequencyHz, cosineAtoms, hopOf } from '@faultline/metrics';
import { valueRange } from '@faultline/victim';
import fc from 'fast-check';
import { AttackRequestError } from './faults.ts';
import { vectorNorm } from './float32-bounds.ts';
import { collect, type RunOptions, runOf } from './testing/attack-run.ts';
import { floats, LinearVictim } from './testing/linear-victim.ts';

const SAMPLE_RATE_HZ = 16_000;
const SAMPLES = 800;
const [FRAMES, HEIGHT, WIDTH, FRAME_RATE_HZ] = [2, 12, 10, 4];
const HOP = 256;

const linear = await LinearVictim.create(11);
after(() => linear[Symbol.asyncDispose]());

type Fields = Parameters<typeof attack.Region.fromPartial>[0];
const region = (fields: Fields) => attack.Region.fromPartial(fields);
const BOTH = new Map([
  ['waveform', 0.02],
  ['frames', 0.01],
]);

/** One clip, attacked on both inputs unless said otherwise. */
function options(inputs: ReadonlyMap<string, DenseTensor>, changes: Partial<RunOptions>): RunOptions {
  return { inputs, labels: [[0]], labelCount: 3, norm: 'l2', budgets: BOTH, rungs: [[1, 'never']], ...changes };
}

/** adversarial - clean in float64. */
function perturbation(point: Float32Array | undefined, clean: DenseTensor | undefined): Float64Array {
  const base = floats(clean);
  return Float64Array.from(point ?? [], (value, index) => value - (base[index] ?? Number.NaN));
}

const lengthOf = (vector: Float64Array) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));

/** The orthogonal projection of a waveform onto the atoms of these bins at these positions, in float64. */
function projected(vector: Float64Array, hop: number, bins: readonly number[], positions: readonly number[]) {
  const atoms = cosineAtoms(hop, bins);
  const sum = new Float64Array(vector.length);
  for (const position of positions) {
    for (const [column] of bins.entries()) {
      const at = (n: number) => atoms[n * bins.length + column] ?? Number.NaN;
      let coefficient = 0;
      for (let n = 0; n < 2 * hop; n += 1) coefficient += at(n) * (vector[position * hop + n] ?? 0);
      for (let n = 0; n < 2 * hop; n += 1)
        sum[position * hop + n] = (sum[position * hop + n] ?? 0) + coefficient * at(n);
    }
  }
  return sum;
}

const binsOf = (bands: readonly { lowHz: number; highHz: number }[]) =>
  Array.from({ length: HOP }, (_, bin) => bin).filter((bin) => {
    const hz = binFrequencyHz(bin, HOP, SAMPLE_RATE_HZ);
    return bands.some(({ lowHz, highHz }) => hz >= lowHz && hz < highHz);
  });

test('atoms are orthonormal, at one position and across positions', () => {
  const hop = 8;
  const bins = Array.from({ length: hop }, (_, bin) => bin);
  const atoms = cosineAtoms(hop, bins);
  for (const shift of [0, 1]) {
    for (const a of bins) {
      for (const b of bins) {
        let product = 0;
        for (let n = shift * hop; n < 2 * hop; n += 1) {
          product += (atoms[n * hop + a] ?? 0) * (atoms[(n - shift * hop) * hop + b] ?? 0);
        }
        assert.ok(Math.abs(product - (shift === 0 && a === b ? 1 : 0)) < 1e-12, `${shift} ${a} ${b}: ${product}`);
      }
    }
  }
  assert.deepEqual([8_000, 16_000, 44_100, 48_000].map(hopOf), [128, 256, 512, 1024]);
});

/** Stretches of [0, most], on a grid of thousandths, at least a hundredth long. */
const interval = (most: number) =>
  fc.tuple(fc.integer({ min: 0, max: 990 }), fc.integer({ min: 10, max: 1000 })).map(([start, length]) => {
    return [(most * start) / 1000, (most * Math.min(1000, start + length)) / 1000] as const;
  });
const windows = fc.array(
  interval(0.05).map(([startSeconds, endSeconds]) => ({ startSeconds, endSeconds })),
  { minLength: 1, maxLength: 2 },
);
const boxes = fc.array(
  fc.tuple(interval(1), interval(1)).map(([[left, right], [top, bottom]]) => ({ left, right, top, bottom })),
  { minLength: 1, maxLength: 2 },
);

test('nothing outside a region changes, in float64', async () => {
  let checked = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        windows,
        boxes,
        frames: fc.uniqueArray(fc.integer({ min: 0, max: FRAMES - 1 }), { maxLength: FRAMES }),
        norm: fc.constantFrom('linf' as const, 'l2' as const),
        attack: fc.constantFrom('pgd', 'noise'),
        exponent: fc.double({ min: -3, max: 0.5, noNaN: true }),
        atTheBox: fc.double({ min: 0, max: 1, noNaN: true }),
        bytes: fc.boolean(),
        seed: fc.integer({ min: 0, max: 1e6 }),
      }),
      async ({ windows, boxes, frames, norm, attack: algorithm, exponent, atTheBox, bytes, seed }) => {
        const inputs = linear.clips(1, atTheBox, seed, bytes);
        const budgets = new Map([...BOTH.keys()].map((name) => [name, 10 ** exponent]));
        const regions = new Map([
          ['waveform', region({ windows })],
          ['frames', region({ frames, boxes })],
        ]);
        const run = runOf(options(inputs, { norm, attack: algorithm, budgets, regions, steps: 4 }));
        let rows: Awaited<ReturnType<typeof collect>>['rows'];
        try {
          rows = (await collect(linear.victim, run)).rows;
        } catch (error) {
          // Boxes between pixel centres and windows between samples free nothing.
          assert.ok(error instanceof AttackRequestError);
          assert.match(error.message, /frees nothing/);
          return;
        }
        checked += 1;
        const free = {
          waveform: (sample: number) => {
            const seconds = sample / SAMPLE_RATE_HZ;
            return windows.some(({ startSeconds, endSeconds }) => seconds >= startSeconds && seconds < endSeconds);
          },
          frames: (coordinate: number) => {
            const pixel = coordinate % (HEIGHT * WIDTH);
            const [x, y] = [((pixel % WIDTH) + 0.5) / WIDTH, (Math.floor(pixel / WIDTH) + 0.5) / HEIGHT];
            const frame = Math.floor(coordinate / (3 * HEIGHT * WIDTH));
            const inBox = boxes.some((box) => x >= box.left && x < box.right && y >= box.top && y < box.bottom);
            return (frames.length === 0 || frames.includes(frame)) && inBox;
          },
        };
        for (const name of ['waveform', 'frames'] as const) {
          const delta = perturbation(rows[0]?.point.get(name), inputs.get(name));
          assert.ok(delta.length > 0);
          for (const [coordinate, value] of delta.entries()) {
            if (!free[name](coordinate)) assert.equal(Math.abs(value), 0, `${name}[${coordinate}]`);
          }
        }
      },
    ),
    { numRuns: 60, seed: 1 },
  );
  assert.ok(checked > 30, `${checked} runs had room`);
});

test('a band is kept but for rounding, its windows exactly, and no budget or range is exceeded', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        bands: fc.array(
          interval(7_000).map(([lowHz, highHz]) => ({ lowHz, highHz })),
          { minLength: 1, maxLength: 2 },
        ),
        late: fc.boolean(),
        norm: fc.constantFrom('linf' as const, 'l2' as const),
        attack: fc.constantFrom('pgd', 'noise'),
        exponent: fc.double({ min: -3, max: 0.5, noNaN: true }),
        atTheBox: fc.constantFrom(0, 0.3),
        seed: fc.integer({ min: 0, max: 1e6 }),
      }),
      async ({ bands, late, norm, attack: algorithm, exponent, atTheBox, seed }) => {
        const inputs = linear.clips(1, atTheBox, seed);
        const epsilon = 10 ** exponent;
        const windows = late ? [{ startSeconds: HOP / SAMPLE_RATE_HZ, endSeconds: 1 }] : [];
        const run = runOf(
          options(inputs, {
            norm,
            attack: algorithm,
            steps: 4,
            budgets: new Map([['waveform', epsilon]]),
            regions: new Map([['waveform', region({ bands, windows })]]),
          }),
        );
        const { rows } = await collect(linear.victim, run);
        const point = rows[0]?.point.get('waveform') ?? new Float32Array();
        const clean = floats(inputs.get('waveform'));
        const delta = perturbation(point, inputs.get('waveform'));
        const [low, high] = [-1, 1];
        assert.ok(point.every((value) => value >= low && value <= high));
        const size = norm === 'linf' ? Math.max(...delta.map(Math.abs)) : lengthOf(delta);
        assert.ok(size <= epsilon, `${size} exceeds ${epsilon}`);
        const positions = late ? [1] : [0, 1];
        for (const [sample, value] of delta.entries()) {
          if (sample < (positions[0] ?? 0) * HOP || sample >= 3 * HOP) assert.equal(Math.abs(value), 0);
        }
        // Where no sample was clipped the perturbation is the projection of itself.
        if (point.some((value, index) => Math.abs(value) === 1 && value !== clean[index])) return;
        if (atTheBox > 0) return;
        const inside = projected(delta, HOP, binsOf(bands), positions);
        const outside = lengthOf(delta.map((value, index) => value - (inside[index] ?? Number.NaN)));
        // Storing x0 + delta in float32 rounds every sample by up to 2^-24 of it, and the products as they are summed.
        const rounding = 2 ** -23 * (vectorNorm('l2', clean) + 16 * lengthOf(delta));
        assert.ok(outside <= rounding, `${outside} is outside the band, rounding explains ${rounding}`);
      },
    ),
    { numRuns: 40, seed: 1 },
  );
});

test('away from the box PGD reaches the optimum of a band in L2, and noise has the full norm', async () => {
  const inputs = new Map<string, DenseTensor>();
  for (const [name, tensor] of linear.clips(1, 0, 5)) {
    inputs.set(name, { dims: tensor.dims, data: floats(tensor).map((value) => 0.5 * value) });
  }
  const bands = [{ lowHz: 1_000, highHz: 2_500 }];
  const epsilon = 0.5;
  const base = options(inputs, {
    budgets: new Map([['waveform', epsilon]]),
    regions: new Map([['waveform', region({ bands })]]),
    steps: 40,
  });
  const weights = Float64Array.from(
    { length: SAMPLES },
    (_, sample) => linear.weights.get('waveform')?.[sample * 3] ?? Number.NaN,
  );
  const slope = lengthOf(projected(weights, HOP, binsOf(bands), [0, 1]));
  assert.ok(slope < 0.6 * lengthOf(weights));
  const [clean = Number.NaN] = linear.margins(inputs, 0);
  const { rows } = await collect(linear.victim, runOf(base));
  const gain = clean - (rows[0]?.margin ?? Number.NaN);
  assert.ok(gain > 0.99 * epsilon * slope && gain < 1.001 * epsilon * slope, `${gain} of ${epsilon * slope}`);
  for (const norm of ['linf', 'l2'] as const) {
    const budgets = new Map([['waveform', 0.01]]);
    const noise = await collect(linear.victim, runOf({ ...base, norm, attack: 'noise', budgets }));
    const delta = perturbation(noise.rows[0]?.point.get('waveform'), inputs.get('waveform'));
    const size = norm === 'linf' ? Math.max(...delta.map(Math.abs)) : lengthOf(delta);
    assert.ok(size > 0.999 * 0.01, `${norm}: ${size}`);
    const pgd = await collect(linear.victim, runOf({ ...base, norm, budgets }));
    const [before = 0, after = 0] = [noise.rows[0]?.margin, pgd.rows[0]?.margin];
    assert.ok(clean - after > 2 * Math.abs(clean - before), `${norm}: noise ${clean - before}, PGD ${clean - after}`);
  }
});

const FAULTS: [what: string, variable: string, fields: Fields, path: string, message: RegExp][] = [
  ['bands of pictures', 'frames', { bands: [{ lowHz: 1, highHz: 2 }] }, 'bands', /holds frames; use windows, frames/],
  ['boxes of sound', 'waveform', { boxes: [{ right: 1, bottom: 1 }] }, 'boxes', /is a waveform; use windows and bands/],
  ['frames of sound', 'waveform', { frames: [0] }, 'frames', /is a waveform/],
  ['a frame that is not there', 'frames', { frames: [1, 2] }, 'frames[1]', /is 2; the input has frames 0 to 1/],
  ['a window that ends first', 'waveform', { windows: [{ startSeconds: 2, endSeconds: 1 }] }, 'windows[0]', /2 to 1 s/],
  ['a window that is no number', 'frames', { windows: [{ endSeconds: Number.NaN }] }, 'windows[0]', /0 to NaN s/],
  ['a window after the end', 'waveform', { windows: [{ startSeconds: 9, endSeconds: 10 }] }, '', /frees nothing/],
  ['a box outside', 'frames', { boxes: [{ left: 0.5, right: 1.5, bottom: 1 }] }, 'boxes[0]', /is \[0.5, 1.5\]/],
  ['a box between pixels', 'frames', { boxes: [{ right: 0.04, bottom: 1 }] }, '', /frees nothing/],
  ['a band upside down', 'waveform', { bands: [{ lowHz: 200, highHz: 100 }] }, 'bands[0]', /is 200 to 100 Hz/],
  [
    'a band above the rate',
    'waveform',
    { bands: [{ lowHz: 9_000, highHz: 9_999 }] },
    'bands',
    /31.25 Hz apart, up to 8000/,
  ],
  [
    'a window without room for a band',
    'waveform',
    { bands: [{ lowHz: 0, highHz: 4_000 }], windows: [{ endSeconds: 0.02 }] },
    '',
    /needs? windows of 0.032 s and more/,
  ],
  ['too many parts', 'frames', { boxes: Array(65).fill({ right: 1, bottom: 1 }) }, 'boxes', /has 65 entries/],
];

for (const [what, variable, fields, path, message] of FAULTS) {
  test(`a region with ${what} is refused, naming the field`, async () => {
    const run = runOf(
      options(linear.clips(1, 0, 1), {
        budgets: new Map([[variable, 1]]),
        regions: new Map([[variable, region(fields)]]),
      }),
    );
    await assert.rejects(collect(linear.victim, run), (error) => {
      assert.ok(error instanceof AttackRequestError);
      const [violation] = error.violations;
      const root = 'threat_model.variables[0].region';
      assert.equal(violation?.field, path === '' ? root : `${root}.${path}`);
      assert.match(violation?.description ?? '', message);
      return true;
    });
  });
}

test('frames are chosen by time, too', async () => {
  const inputs = linear.clips(1, 0, 3);
  const windows = [{ startSeconds: 1 / FRAME_RATE_HZ, endSeconds: 2 / FRAME_RATE_HZ }];
  const run = runOf(options(inputs, { regions: new Map([['frames', region({ windows })]]) }));
  const { rows } = await collect(linear.victim, run);
  const delta = perturbation(rows[0]?.point.get('frames'), inputs.get('frames'));
  const half = delta.length / 2;
  assert.ok(delta.subarray(0, half).every((value) => value === 0));
  assert.ok(lengthOf(delta.subarray(half)) > 0);
  assert.deepEqual(
    linear.card.inputs.map((input) => valueRange(input).high),
    [1, 1],
  );
});
