import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, test } from 'node:test';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { LocalVictim } from '@faultline/victim-local';
import { testCard } from '@faultline/victim-local/testing';
import type { NormName } from './attack.ts';
import { defaultValues } from './attack-parameters.ts';
import { catalogue } from './catalogue.ts';
import { NO_SCALE } from './smallest-point.ts';

/** What testing/reference/record-minimum-norm.py records. */
interface Reference {
  readonly steps: number;
  readonly inputs: readonly number[];
  readonly first: readonly number[];
  readonly second: readonly number[];
  readonly centre: number;
  readonly bias: number;
  readonly attacks: Readonly<
    Record<string, { readonly path: readonly (readonly [number, number][])[]; readonly best: readonly number[] }>
  >;
}

const reference: Reference = JSON.parse(
  await readFile(new URL('testing/reference/minimum-norm.json', import.meta.url), 'utf8'),
);
const HIDDEN = reference.second.length;
const PIXELS = reference.first.length / HIDDEN;
const CLIPS = reference.inputs.length / PIXELS;
const FRAME_DIMS = [1, 3, 2, PIXELS / 6] as const;

/** The recorded network: its pixels are the frames' range. */
async function network(): Promise<LocalVictim> {
  const b = new GraphBuilder();
  const flat = b.reshape(b.input('frames', ['batch', ...FRAME_DIMS]), [-1, PIXELS]);
  const hidden = b.matmul(
    b.minus(flat, b.scalar(reference.centre)),
    b.constant(float32(Float32Array.from(reference.first), [PIXELS, HIDDEN])),
  );
  const height = b.matmul(
    b.op('Tanh', [hidden]),
    b.constant(float32(Float32Array.from(reference.second), [HIDDEN, 1])),
  );
  b.output(b.plus(height, b.scalar(reference.bias)), ['batch', 1], 'float32', 'logits');
  const model = encodeModel(b.model('network'));
  const [frames, , height_, width] = FRAME_DIMS;
  const card = testCard('network', model, 1, {
    inputs: [{ name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 4, frames, height: height_, width } } }],
    labels: [{ label: 'on', threshold: 0 }],
  });
  return LocalVictim.load({ model, card });
}

const local = await network();
after(() => local[Symbol.asyncDispose]());

/** Smaller than any logit, and below 0: the reference counts a point as adversarial when f < 0. */
const BELOW_ZERO = -1e-30;

/** float32 on both sides, and 40 steps that feed on each other. */
const TOLERANCE = 1e-4;

const CASES: readonly {
  readonly row: string;
  readonly attack: string;
  readonly norm: NormName;
  readonly values: object;
}[] = [
  ...(['linf', 'l2', 'l1', 'l0'] as const).map((norm) => ({
    row: `fmn ${norm}`,
    attack: 'fmn',
    norm,
    values: { range: 'clip', ranking: 'size' },
  })),
  { row: 'ddn l2', attack: 'ddn', norm: 'l2', values: { range: 'clip', last_gamma: 0.05 } },
];

for (const { row, attack, norm, values } of CASES) {
  test(`${row} follows the reference implementation step by step`, async () => {
    const definition = catalogue.get(attack);
    assert.ok(definition?.kind === 'minimum norm');
    const { steps } = reference;
    const variables = [{ name: 'frames', dims: FRAME_DIMS, low: 0, high: 1, rho: 1 }];
    const setting = {
      variables,
      norm,
      steps,
      thresholds: [0],
      logitScale: 1,
      reachedMargin: BELOW_ZERO,
      mostTargets: 1,
    };
    const plan = definition.plan(setting, { ...defaultValues(definition.parameters), ...values });
    const far = Float32Array.from(reference.inputs, (value) => Math.max(value, 1 - value));
    const examples = Array.from({ length: CLIPS }, (_, clip) => {
      const row = far.subarray(clip * PIXELS, (clip + 1) * PIXELS);
      const largest = { linf: Math.max(...row), l2: Math.hypot(...row), l1: row.reduce((a, b) => a + b), l0: PIXELS };
      return { clip, largestScale: largest[norm] };
    });
    const inputs = { dims: [CLIPS, ...FRAME_DIMS], data: Float32Array.from(reference.inputs) };
    await using loop = await local.open(
      {
        modelSha256: (await local.describe()).card.sha256,
        programs: plan.programs,
        constants: plan.constants,
        variables: [{ name: 'frames', scope: 'example' }],
        exampleClips: examples.map(({ clip }) => clip),
        inputs: new Map([['frames', inputs]]),
        targets: { dims: [CLIPS, 1], data: new Float32Array(CLIPS).fill(1) },
        noise: [{ name: 'frames', distribution: plan.noise, dims: FRAME_DIMS }],
        noiseKeys: new BigUint64Array(CLIPS),
      },
      plan.initParameters(examples),
    );
    const [scales, margins, smallest]: [number[], number[], number[]] = [[], [], []];
    // A busy machine does fewer steps in a message than it is asked for.
    for (let done = 0; done < steps; ) {
      const parameters = plan.stepParameters(examples, done, steps - done);
      const { stepsDone, outcomes } = await loop.step({ steps: steps - done, parameters });
      assert.ok(stepsDone > 0, 'a message does a step at least');
      done += stepsDone;
      scales.push(...(outcomes.get('scale') ?? []));
      margins.push(...(outcomes.get('margin') ?? []));
      smallest.push(...(outcomes.get('bestScale') ?? []));
    }
    const expected = reference.attacks[row];
    assert.ok(expected !== undefined && expected.path.length === steps);
    for (const [step, clips] of expected.path.entries()) {
      for (const [clip, [size, height]] of clips.entries()) {
        const at = step * CLIPS + clip;
        const [scale = Number.NaN, margin = Number.NaN] = [scales[at], margins[at]];
        assert.ok(
          Math.abs(scale - size) <= TOLERANCE * Math.max(1, size),
          `step ${step}, clip ${clip}: ${scale}, not ${size}`,
        );
        assert.ok(
          Math.abs(margin - height) <= TOLERANCE * Math.max(1, Math.abs(height)),
          `step ${step}, clip ${clip}: margin ${margin}, not ${height}`,
        );
      }
    }
    const last = smallest.slice(-CLIPS);
    for (const [clip, size] of expected.best.entries()) {
      // The reference returns the clean point where it found nothing.
      const best = last[clip] === NO_SCALE ? 0 : (last[clip] ?? Number.NaN);
      assert.ok(Math.abs(best - size) <= TOLERANCE * Math.max(1, size), `clip ${clip}: best ${best}, not ${size}`);
    }
  });
}
