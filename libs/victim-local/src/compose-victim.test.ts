import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { inference, victim } from '@faultline/contracts';
import { encodeModel, float32, GraphBuilder } from '@faultline/onnx';
import { CardError } from '@faultline/victim';
import { LocalVictim, type LocalVictimOptions } from './local-victim.ts';
import { sha256Of } from './victim-files.ts';

const { GRADIENT_VERDICT_WHITE_BOX, GRADIENT_VERDICT_ESTIMATION, GRADIENT_VERDICT_BLACK_BOX } =
  inference.GradientVerdict;

const SIDE = 4;
const PIXELS = SIDE * SIDE;
const weights = Float32Array.from({ length: 3 * PIXELS * 2 }, (_, i) => Math.sin(i + 1));

/** A model of one picture [batch, height, width, 3] of levels 0 to 255 -> probabilities. */
function channelsLast(): Uint8Array {
  const b = new GraphBuilder();
  const flat = b.reshape(b.input('frames', ['n', SIDE, SIDE, 3]), [-1, 3 * PIXELS]);
  const scores = b.matmul(flat, b.constant(float32(weights, [3 * PIXELS, 2])));
  b.output(b.op('Sigmoid', [scores]), ['n', 2], 'float32', 'scores');
  return encodeModel(b.model());
}

function levels(): Uint8Array {
  const b = new GraphBuilder();
  const pixels = b.times(b.input('frames', ['batch', 1, 3, SIDE, SIDE]), b.scalar(255));
  const turned = b.transpose(b.reshape(pixels, [-1, 3, SIDE, SIDE]), [0, 2, 3, 1]);
  b.output(turned, ['batch', SIDE, SIDE, 3], 'float32', 'model/frames');
  return encodeModel(b.model());
}

function logitHead(): Uint8Array {
  const b = new GraphBuilder();
  const p = b.input('scores', ['batch', 2]);
  b.output(b.op('Log', [b.over(p, b.minus(b.scalar(1), p))]), ['batch', 2], 'float32', 'logits');
  return encodeModel(b.model());
}

function foreignVictim(): LocalVictimOptions & { frontEnd: Uint8Array; head: Uint8Array } {
  const [model, frontEnd, head] = [channelsLast(), levels(), logitHead()];
  const card = victim.Card.fromPartial({
    schemaVersion: 1,
    name: 'foreign',
    model: 'model.onnx',
    sha256: sha256Of(model),
    inputs: [
      { name: 'frames', kind: { $case: 'frames', value: { frameRateHz: 1, frames: 1, height: SIDE, width: SIDE } } },
    ],
    logits: 'logits',
    labels: [{ label: 'cat' }, { label: 'dog' }],
    logitScale: 1,
    taps: [{ name: 'levels', value: 'model/frames' }],
    frontEnd: { name: 'front-end.onnx', sha256: sha256Of(frontEnd) },
    head: { name: 'head.onnx', sha256: sha256Of(head) },
  });
  return { model, frontEnd, head, card };
}

const picture = Uint8Array.from({ length: 2 * 3 * PIXELS }, (_, i) => (i * 37) % 4);

test('front end, model and head are one graph, whose variables are the pixels', async () => {
  await using local = await LocalVictim.load(foreignVictim());
  const { logits } = await local.predict(new Map([['frames', { dims: [2, 1, 3, SIDE, SIDE], data: picture }]]));
  for (const clip of [0, 1]) {
    for (const label of [0, 1]) {
      let expected = 0;
      for (let pixel = 0; pixel < PIXELS; pixel++) {
        for (let channel = 0; channel < 3; channel++) {
          const level = picture[(clip * 3 + channel) * PIXELS + pixel] ?? 0;
          expected += level * (weights[(pixel * 3 + channel) * 2 + label] ?? 0);
        }
      }
      const actual = logits.data[clip * 2 + label] ?? Number.NaN;
      assert.ok(Math.abs(actual - expected) < 1e-3 * Math.max(1, Math.abs(expected)), `${actual} for ${expected}`);
    }
  }
  const { gradient } = await local.describe();
  assert.deepEqual(gradient, {
    verdict: GRADIENT_VERDICT_WHITE_BOX,
    variables: ['frames', 'levels'].map((variable) => ({
      variable,
      verdict: GRADIENT_VERDICT_WHITE_BOX,
      reason: '',
    })),
    estimatedOperators: [],
  });
});

test('files that are not those of the card are refused by the field that names them', async () => {
  const good = foreignVictim();
  const refused = (options: LocalVictimOptions, field: string) =>
    assert.rejects(LocalVictim.load(options), (error) => error instanceof CardError && error.field === field);
  await refused({ ...good, frontEnd: logitHead() }, 'frontEnd.sha256');
  await refused({ ...good, head: undefined }, 'head');
  await refused({ ...good, card: { ...good.card, frontEnd: undefined } }, 'frontEnd');
  await refused({ ...good, card: { ...good.card, logits: 'nowhere' } }, 'logits');
  const [frames] = good.card.inputs;
  const wider = { frameRateHz: 1, frames: 1, height: SIDE, width: SIDE + 1 };
  await refused(
    { ...good, card: { ...good.card, inputs: [{ name: 'frames', kind: { $case: 'frames', value: wider } }] } },
    'inputs',
  );
  assert.ok(frames);
  const waveform = {
    name: 'waveform',
    kind: { $case: 'waveform' as const, value: { sampleRateHz: 8000, samples: 8 } },
  };
  await refused({ ...good, card: { ...good.card, inputs: [frames, waveform] } }, 'inputs');
});

/** waveform -> `op` -> logits */
function through(op: (b: GraphBuilder, x: string) => string): LocalVictimOptions {
  const b = new GraphBuilder();
  const changed = op(b, b.input('waveform', ['batch', 8]));
  b.output(b.matmul(changed, b.constant(float32(weights.slice(0, 16), [8, 2]))), ['batch', 2], 'float32', 'logits');
  const model = encodeModel(b.model());
  const card = victim.Card.fromPartial({
    schemaVersion: 1,
    name: 'through',
    model: 'model.onnx',
    sha256: sha256Of(model),
    inputs: [{ name: 'waveform', kind: { $case: 'waveform', value: { sampleRateHz: 8000, samples: 8 } } }],
    logits: 'logits',
    labels: [{ label: 'cat' }, { label: 'dog' }],
    logitScale: 1,
  });
  return { model, card };
}

test('the description says what of a victim can be differentiated, and why not', async () => {
  const verdictOf = async (options: LocalVictimOptions) => {
    await using local = await LocalVictim.load(options);
    const { gradient } = await local.describe();
    return gradient;
  };
  const quantised = await verdictOf(
    through((b, x) => {
      const step = [b.scalar(0.1), b.constant({ dataType: 'uint8', dims: [], data: Uint8Array.of(128) })];
      return b.op('DequantizeLinear', [b.op('QuantizeLinear', [x, ...step]), ...step]);
    }),
  );
  assert.equal(quantised?.verdict, GRADIENT_VERDICT_ESTIMATION);
  assert.deepEqual(quantised?.estimatedOperators, ['QuantizeLinear']);
  const stepped = await verdictOf(through((b, x) => b.op('Floor', [x])));
  assert.equal(stepped?.verdict, GRADIENT_VERDICT_BLACK_BOX);
  assert.match(stepped?.variables[0]?.reason ?? '', /no gradient reaches it/);
  const missing = await verdictOf(through((b, x) => b.op('Det', [b.reshape(x, [-1, 8, 1, 1])])));
  assert.equal(missing?.verdict, GRADIENT_VERDICT_BLACK_BOX);
  assert.match(missing?.variables[0]?.reason ?? '', /Det/);
});

test('a folder holds all that the card names; weights are read from listed files alone', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'faultline-victim-'));
  try {
    const { model, frontEnd, head, card } = foreignVictim();
    const writeCard = (changed: victim.Card) =>
      writeFile(path.join(folder, 'card.json'), JSON.stringify(victim.Card.toJSON(changed)));
    await writeFile(path.join(folder, 'model.onnx'), model);
    await writeFile(path.join(folder, 'front-end.onnx'), frontEnd);
    await writeCard(card);
    const fails = (field: string) =>
      assert.rejects(LocalVictim.fromFolder(folder), (error) => error instanceof CardError && error.field === field);
    await fails('head.name');
    await writeFile(path.join(folder, 'head.onnx'), head);
    await using local = await LocalVictim.fromFolder(folder);
    assert.equal((await local.describe()).card.name, 'foreign');
    await writeCard({ ...card, externalData: [{ name: 'weights.bin', sha256: card.sha256 }] });
    await fails('externalData[0].name');
    await writeFile(path.join(folder, 'weights.bin'), 'other');
    await fails('externalData[0].sha256');
    await writeCard({ ...card, externalData: [{ name: '../weights.bin', sha256: card.sha256 }] });
    await fails('externalData[0].name');
  } finally {
    await rm(folder, { recursive: true });
  }
});
