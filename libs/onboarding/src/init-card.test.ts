import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type DataType, type Dimension, encodeModel, float32, GraphBuilder, int, type Model } from '@faultline/onnx';
import { withExternalData } from '@faultline/onnx/testing';
import { LocalVictim } from '@faultline/victim-local';
import { checkVictim } from './check-victim.ts';
import { gradcheckModel } from './gradcheck.ts';
import { initCard } from './init-card.ts';
import { inspectModel } from './inspect-model.ts';
import { sampleInputs, seededUniform } from './sample-inputs.ts';
import { tryAttack } from './try-attack.ts';

const LABELS = 3;

let folder = '';
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'faultline-onboarding-'));
});
after(() => rm(folder, { recursive: true }));

/** A layer of ten units and one of labels; smooth, so that its gradient differs from point to point. */
function classify(b: GraphBuilder, values: readonly string[], sizes: readonly number[]): string {
  const random = seededUniform(3);
  const weights = (rows: number, columns: number) => {
    const data = Array.from({ length: rows * columns }, () => (random() - 0.5) / Math.sqrt(rows));
    return b.constant(float32(data, [rows, columns]));
  };
  const hidden = values.map((value, i) => {
    const size = sizes[i] ?? 1;
    return b.matmul(b.reshape(value, [-1, size]), weights(size, 10));
  });
  const sum = hidden.reduce((a, c) => b.plus(a, c));
  return b.matmul(b.op('Tanh', [sum]), weights(10, LABELS));
}

interface Layout {
  readonly about: string;
  readonly inputs: readonly {
    readonly name: string;
    readonly dims: readonly Dimension[];
    readonly dataType?: DataType;
  }[];
  readonly set?: readonly string[];
  readonly activation?: 'Sigmoid' | 'Softmax' | 'LogSoftmax';
  /** Inputs of the card. */
  readonly given: readonly string[];
  readonly frontEnd?: 'none';
}

const fixedSize = (dims: readonly Dimension[]) =>
  dims.slice(1).reduce<number>((product, size) => product * Number(size), 1);

function modelOf({ inputs, activation }: Layout): Model {
  const b = new GraphBuilder();
  const floating = inputs.filter(({ dataType }) => dataType !== 'int64');
  const values = floating.map(({ name, dims, dataType }) => {
    const value = b.input(name, dims, dataType ?? 'float32');
    return dataType === 'uint8' ? b.op('Cast', [value], { to: int(1) }) : value;
  });
  let scores = classify(
    b,
    values,
    floating.map(({ dims }) => fixedSize(dims)),
  );
  for (const { name } of inputs.filter(({ dataType }) => dataType === 'int64')) {
    const rate = b.op('Cast', [b.input(name, [], 'int64')], { to: int(1) });
    scores = b.times(scores, b.over(rate, b.scalar(16_000)));
  }
  const named = activation === undefined ? scores : b.op(activation, [scores]);
  b.output(named, [inputs[0]?.dims[0] ?? 'batch', LABELS], 'float32', 'scores');
  return b.model();
}

const LAYOUTS: readonly Layout[] = [
  {
    about: 'waveform only',
    inputs: [{ name: 'waveform', dims: ['batch', 400] }],
    given: ['waveform'],
    frontEnd: 'none',
  },
  {
    about: 'one channel of sound, sigmoid',
    inputs: [{ name: 'pcm', dims: ['batch', 1, 400] }],
    activation: 'Sigmoid',
    given: ['waveform'],
  },
  {
    about: '16-bit levels',
    inputs: [{ name: 'wav', dims: ['n', 400] }],
    set: ['full-scale=32768'],
    given: ['waveform'],
  },
  {
    about: 'one example at a time',
    inputs: [{ name: 'audio', dims: [1, 400] }],
    activation: 'Softmax',
    given: ['waveform'],
  },
  {
    about: 'log-mel only, time first',
    inputs: [{ name: 'features', dims: ['batch', 1, 8, 64] }],
    set: ['preset=yamnet'],
    activation: 'Sigmoid',
    given: ['waveform'],
  },
  {
    about: 'log-mel only, bands first, reflected, of own parameters',
    inputs: [{ name: 'mel', dims: ['batch', 40, 5] }],
    set: ['preset=torchaudio', 'rate=8000', 'hop=100', 'mean=-4', 'std=2'],
    given: ['waveform'],
  },
  {
    about: 'NCHW, softmax',
    inputs: [{ name: 'image', dims: ['batch', 3, 6, 5] }],
    activation: 'Softmax',
    given: ['frames'],
  },
  {
    about: 'NHWC of 8-bit levels, log-softmax',
    inputs: [{ name: 'image', dims: ['batch', 6, 5, 3], dataType: 'uint8' }],
    activation: 'LogSoftmax',
    given: ['frames'],
  },
  {
    about: 'ImageNet normalisation, blue first, one example',
    inputs: [{ name: 'image', dims: [1, 3, 6, 5] }],
    set: ['colour=bgr', 'mean=0.485:0.456:0.406', 'std=0.229:0.224:0.225'],
    given: ['frames'],
  },
  {
    about: 'channels before frames',
    inputs: [{ name: 'clip', dims: ['batch', 3, 4, 6, 5] }],
    set: ['range=-1:1'],
    given: ['frames'],
  },
  { about: 'grey', inputs: [{ name: 'image', dims: ['batch', 1, 6, 5] }], given: ['frames'] },
  {
    about: 'sound and pictures, logits',
    inputs: [
      { name: 'audio', dims: ['batch', 400] },
      { name: 'video', dims: ['batch', 2, 3, 6, 5] },
    ],
    given: ['waveform', 'frames'],
  },
  {
    about: 'log-mel, pictures and a sample rate',
    inputs: [
      { name: 'mel', dims: ['batch', 8, 64] },
      { name: 'image', dims: ['batch', 3, 6, 5] },
      { name: 'sr', dims: [], dataType: 'int64' },
    ],
    set: ['preset=yamnet'],
    activation: 'Sigmoid',
    given: ['waveform', 'frames'],
  },
];

describe('layouts: card, prediction, gradient, attack', () => {
  for (const [index, layout] of LAYOUTS.entries()) {
    test(layout.about, async () => {
      const file = path.join(folder, `${index}.onnx`);
      await writeFile(file, encodeModel(modelOf(layout)));
      const out = path.join(folder, String(index));
      const { card, agreement } = await initCard({ model: file, out, given: layout.set ?? [], defaults: 'accepted' });
      assert.deepEqual(
        card.inputs.map(({ name }) => name),
        layout.given,
      );
      assert.equal(card.frontEnd === undefined, layout.frontEnd === 'none');
      assert.ok(agreement.withFile < 1e-5, `${agreement.withFile}`);
      assert.equal((await checkVictim(out)).gradient, 'white-box');
      const { before, after } = await tryAttack(out);
      assert.ok(after < before, `${after} after ${before}`);
      assert.equal((await gradcheckModel(out)).outcome, 'agrees');
      assert.equal((await inspectModel(out)).inspection.verdict, 'white-box');
    });
  }
});

test('logits are those before the activation; of exclusive classes, log-odds', async () => {
  const logitsOf = async (activation: Layout['activation']) => {
    const file = path.join(folder, `${activation}.onnx`);
    await writeFile(
      file,
      encodeModel(
        modelOf({
          about: '',
          given: [],
          inputs: [{ name: 'waveform', dims: ['batch', 400] }],
          ...(activation && { activation }),
        }),
      ),
    );
    const out = path.join(folder, `${activation}`);
    const { card } = await initCard({
      model: file,
      out,
      given: activation === undefined ? ['classes=independent'] : [],
      defaults: 'accepted',
    });
    await using victim = await LocalVictim.fromFolder(out);
    return [...(await victim.predict(sampleInputs(card.inputs, 2))).logits.data];
  };
  const raw = await logitsOf(undefined);
  assert.deepEqual(await logitsOf('Sigmoid'), raw);
  const odds = raw.map((value, i) => {
    const row = raw.slice(i - (i % LABELS), i - (i % LABELS) + LABELS);
    const others = row.filter((_, j) => j !== i % LABELS).reduce((sum, other) => sum + Math.exp(other), 0);
    return value - Math.log(others);
  });
  for (const activation of ['Softmax', 'LogSoftmax'] as const) {
    for (const [i, value] of (await logitsOf(activation)).entries()) assert.ok(Math.abs(value - (odds[i] ?? 0)) < 1e-5);
  }
});

test('what the graph does not say is an error that names the answer, unless defaults are accepted', async () => {
  const file = path.join(folder, 'open.onnx');
  await writeFile(
    file,
    encodeModel(modelOf({ about: '', given: [], inputs: [{ name: 'pcm', dims: ['batch', 1, 400] }] })),
  );
  const out = path.join(folder, 'open');
  const init = (given: string[]) => initCard({ model: file, out, given, defaults: 'asked' });
  await assert.rejects(init([]), /--set 'pcm\.rate=16000'/);
  await assert.rejects(
    init(['pcm.rate=8000', 'pcm.role=waveform', 'pcm.layout=NS']),
    /names 2 axes, but the input has 3/,
  );
  await assert.rejects(init(['rate=fast']), /give a whole number|give a number/);
  const all = [
    'role=waveform',
    'layout=N1S',
    'rate=8000',
    'full-scale=1',
    'classes=independent',
    'labels=a,b,c',
    'holds=logits',
  ];
  await assert.rejects(init([...all, 'hight=3']), /--set hight answers no question/);
  await assert.rejects(init(['role=sound']), /give one of waveform, log-mel, frames, constant/);
  const { card } = await init(all);
  assert.deepEqual(
    card.labels.map(({ label }) => label),
    ['a', 'b', 'c'],
  );
  assert.equal(card.inputs[0]?.kind?.$case, 'waveform');
  await assert.rejects(init(all), /exists already/);
});

test('a person is asked what the graph does not say, and nothing else', async () => {
  const file = path.join(folder, 'asked.onnx');
  await writeFile(
    file,
    encodeModel(
      modelOf({ about: '', given: [], inputs: [{ name: 'image', dims: ['batch', 3, 6, 5] }], activation: 'Softmax' }),
    ),
  );
  const asked: string[] = [];
  const prompt = (question: { readonly field: string }) => {
    asked.push(question.field);
    return Promise.resolve(question.field === 'colour' ? 'bgr' : '');
  };
  const { decisions } = await initCard({ model: file, out: path.join(folder, 'asked'), prompt, defaults: 'asked' });
  assert.deepEqual(asked, ['frame-rate', 'colour', 'range', 'mean', 'std', 'labels', 'threshold']);
  assert.equal(decisions.find(({ key }) => key === 'image.colour')?.from, 'asked');
});

test('weights outside the file come along, with their digests', async () => {
  const model = modelOf({ about: '', given: [], inputs: [{ name: 'waveform', dims: ['batch', 400] }] });
  const file = path.join(folder, 'external.onnx');
  const parts = withExternalData(encodeModel(model), 'external.bin');
  await writeFile(file, parts.model);
  await writeFile(path.join(folder, 'external.bin'), parts.data);
  const out = path.join(folder, 'external');
  const { card } = await initCard({ model: file, out, defaults: 'accepted' });
  assert.deepEqual(
    card.externalData.map(({ name }) => name),
    ['external.bin'],
  );
  assert.equal((await checkVictim(out)).gradient, 'white-box');
  const weights = await readFile(path.join(out, 'external.bin'));
  weights[5] = (weights[5] ?? 0) ^ 1;
  await writeFile(path.join(out, 'external.bin'), weights);
  await assert.rejects(checkVictim(out), /externalData\[0\]\.sha256/);
});
