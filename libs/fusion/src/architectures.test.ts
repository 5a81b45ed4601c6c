import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { differentiate } from '@faultline/autodiff';
import { encodeModel, modelOf } from '@faultline/onnx';
import { dryRun, Session } from '@faultline/ort';
import { ARCHITECTURE_NAMES, ARCHITECTURES, MATCHED_FACTORS } from './architectures.ts';
import { buildVictim, type VictimGraph } from './build-victim.ts';
import { countMacs } from './count-macs.ts';
import { countParameters } from './count-parameters.ts';
import type { FeatureSpec } from './designs.ts';
import { matchParameters } from './match-parameters.ts';
import type { VictimSpec } from './specs.ts';
import { pointOf, runAt } from './testing/points.ts';
import { tinyLaptop, tinyStudy } from './testing/tiny-victims.ts';

const MAC_LIMIT = 50e6;
const PARAMETER_LIMIT = 400_000;
const BATCH = 2;

describe('at the laptop size', () => {
  for (const name of ARCHITECTURE_NAMES) {
    test(`${name} has logits and taps that follow the batch, and stays small`, async () => {
      const spec: VictimSpec = ARCHITECTURES[name].laptop;
      const { graph, taps, inputs } = buildVictim(spec, { kind: 'evaluation' });
      const types = await dryRun(graph);
      assert.deepEqual(types.get('logits')?.dims, [{ batch: 1 }, spec.labels]);
      for (const { value } of taps) assert.equal(typeof types.get(value)?.dims[0], 'object', value);
      assert.equal(new Set(taps.map((each) => each.name)).size, taps.length);
      assert.ok(taps.length > 0);
      assert.ok(countMacs(graph, types) < MAC_LIMIT);
      assert.ok(countParameters(spec) < PARAMETER_LIMIT);
      const heard = spec.fusion === 'visual' ? [] : ['audio'];
      const seen = spec.fusion === 'audio' ? [] : ['visual'];
      assert.deepEqual(inputs.map(({ modality }) => modality).toSorted(), [...heard, ...seen]);
    });
  }
});

/** The exported graph has the logits of the evaluated one, loads, and has gradients of what it hears and sees. */
async function checkExport(spec: VictimSpec | FeatureSpec): Promise<void> {
  const evaluation = buildVictim(spec, { kind: 'evaluation' });
  const point = pointOf(evaluation, BATCH);
  const exported = buildVictim(spec, { kind: 'export', weights: point });
  const tapNames = (victim: VictimGraph) => victim.taps.map(({ name }) => name);
  assert.deepEqual(tapNames(exported), tapNames(evaluation));
  assert.deepEqual(
    exported.graph.inputs.map(({ name }) => name),
    evaluation.inputs.map(({ name }) => name),
  );
  const media = new Map([...point].filter(([name]) => exported.inputs.some((input) => input.name === name)));
  const wrt = exported.inputs.map(({ name }) => name);
  const gradient = differentiate({ graph: exported.graph, types: await dryRun(exported.graph), output: 'logits', wrt });
  await using asEvaluated = await Session.create(modelOf(evaluation.graph));
  await using asExported = await Session.create(encodeModel(modelOf(exported.graph)));
  await using asAttacked = await Session.create(modelOf(gradient));
  const wanted = (await runAt(asEvaluated, point, ['logits'])).get('logits') ?? [];
  const found = (await runAt(asExported, media, ['logits'])).get('logits') ?? [];
  assert.equal(found.length, BATCH * spec.labels);
  const scale = Math.max(...wanted.map(Math.abs));
  for (const [index, value] of wanted.entries()) {
    assert.ok(Math.abs(value - (found[index] ?? Number.NaN)) <= 1e-4 * scale, `${value}, exported ${found[index]}`);
  }
  for (const [name, values] of await runAt(
    asAttacked,
    media,
    wrt.map((each) => `grad/${each}`),
  )) {
    assert.ok(values.every(Number.isFinite) && values.some((value) => value !== 0), name);
  }
}

describe('exported, an architecture does what training evaluates', () => {
  // Late fusion by the other operators is made of the same blocks.
  const others = /-matched$|^late-/;
  for (const name of ARCHITECTURE_NAMES.filter((each) => !others.test(each))) {
    test(`${name} at the laptop's form`, () => checkExport(tinyLaptop(name)));
  }
  for (const name of ['audio', 'audio-resnet', 'early', 'late'] as const) {
    test(`${name} at the study's form`, () => checkExport(tinyStudy(name)));
  }
});

describe('at the study size', () => {
  /** Millions of parameters, as known of the study's models. */
  const KNOWN = { audio: 12.1, visual: 24.2, early: 21.5, mid: 24.7, late: 39.4 } as const;
  for (const name of ['audio', 'visual', 'early', 'mid', 'late'] as const) {
    test(`${name} has ${KNOWN[name]} million parameters`, () => {
      const count = countParameters(ARCHITECTURES[name].study, 'training') / 1e6;
      assert.ok(Math.abs(count / KNOWN[name] - 1) <= 0.02, `${count}`);
    });
  }

  test('a layer that is applied twice has the parameters of one', () => {
    const { study } = ARCHITECTURES.visual;
    assert.ok(study.design.fusion === 'visual' && study.design.encoder.kind === 'attention');
    const once: FeatureSpec = {
      ...study,
      design: { ...study.design, encoder: { ...study.design.encoder, applications: 1 } },
    };
    assert.equal(countParameters(study), countParameters(once));
  });
});

describe('matched architectures', () => {
  for (const size of ['laptop', 'study'] as const) {
    for (const fusion of ['early', 'late'] as const) {
      test(`${fusion} at the ${size} size has the parameters of mid, by the search's factor`, () => {
        const target = countParameters(ARCHITECTURES['mid-matched'][size]);
        assert.equal(MATCHED_FACTORS[size][fusion], matchParameters(ARCHITECTURES[fusion][size], target));
        const count = countParameters(ARCHITECTURES[`${fusion}-matched`][size]);
        assert.ok(Math.abs(count / target - 1) <= 0.02, `${count}, mid ${target}`);
      });
    }
  }

  test('a count out of reach is refused', () => {
    assert.throws(() => matchParameters(ARCHITECTURES.late.laptop, 10), /gives 10 parameters/);
  });
});

describe('sizes that do not fit are refused by name', () => {
  const refused = (spec: FeatureSpec, message: RegExp) => assert.throws(() => buildVictim(spec), message);

  test('heads, patches, rows, steps of a moment', () => {
    const audio: FeatureSpec = ARCHITECTURES['audio-patches'].study;
    const early: FeatureSpec = ARCHITECTURES.early.study;
    const mid: FeatureSpec = ARCHITECTURES.mid.study;
    assert.ok(audio.design.fusion === 'audio' && audio.design.encoder.kind === 'attention');
    const encoder = { ...audio.design.encoder, heads: 7 };
    refused({ ...audio, design: { ...audio.design, encoder } }, /7 heads do not divide the width 384/);
    refused({ ...audio, logMel: { steps: 401, bands: 64 } }, /patches of 16 x 16 .* 401 x 64/);
    assert.ok(early.design.fusion === 'early');
    refused({ ...early, design: { ...early.design, rows: 77 } }, /25600 values do not fill 77 rows/);
    refused({ ...mid, frameFeatures: { moments: 7, width: 2048 } }, /100 steps of audio .* 7 moments/);
  });
});

test('the weights of two single victims, put together, are those of their decision fusion', () => {
  const names = (name: 'audio' | 'visual' | 'decision') =>
    buildVictim(ARCHITECTURES[name].study, { kind: 'evaluation' }).parameters;
  assert.deepEqual(
    [...names('audio'), ...names('visual')].map(({ name }) => name).toSorted(),
    names('decision')
      .map(({ name }) => name)
      .toSorted(),
  );
});
