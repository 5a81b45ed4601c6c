import assert from 'node:assert/strict';
import { test } from 'node:test';
import { elementCount, float32, int, isBatchAxis, modelOf } from '@faultline/onnx';
import { OrtTensor, Session } from '@faultline/ort';
import { readProgram } from '../program.ts';
import { type ShapedProgram, shapeProgram } from '../program-shape.ts';
import { settingOf } from '../setting.ts';
import { program, type TestProgram } from '../test-support/programs.ts';
import { FusedProgram } from './fused-program.ts';
import { splitProgram } from './split-program.ts';

const SIZES = { waveform: [2310], frames: [3, 7, 120] };
const setting = settingOf(
  { variables: Object.keys(SIZES).map((name) => ({ name, scope: 'example' })) },
  { inputs: new Map(Object.entries(SIZES)), taps: new Map(), labels: 4 },
);

const shaped = (build: (b: TestProgram) => void): Promise<ShapedProgram> =>
  shapeProgram(readProgram('step', program(build)), setting);

const spread = (b: TestProgram, value: string, rank: number) => b.reshape(value, [-1, ...Array(rank).fill(1)]);

/** x - length sign(g) inside bounds, and the best point. */
function signStep(b: TestProgram): void {
  const [loss, best] = [b.read('loss'), b.read('state/best')];
  const lower = b.op('Less', [loss, best]);
  for (const [name, dims] of Object.entries(SIZES)) {
    const [x, gradient] = [b.read(`x/${name}`, dims), b.read(`grad/${name}`, dims)];
    const length = spread(b, b.read(`param/${name}`), dims.length);
    const moved = b.minus(x, b.times(b.op('Sign', [gradient]), length));
    const inside = b.op('Max', [b.op('Min', [moved, b.read(`state/highest/${name}`, dims)]), b.scalar(-0.5)]);
    b.write(`next/${name}`, inside);
    const take = spread(b, lower, dims.length);
    b.write(`next/state/${name}`, b.op('Where', [take, x, b.read(`state/${name}`, dims)]));
    b.write(`outcome/${name}`, b.op('ReduceL1', [b.reshape(gradient, [0, -1]), b.ints([1])], { keepdims: int(0) }));
  }
  b.write('next/state/best', b.op('Where', [lower, loss, best]));
}

/** Two sums in blocks, each needed by the next pass; a mask that all examples share. */
function lengthStep(b: TestProgram): void {
  const dims = SIZES.waveform;
  const [x, clean] = [b.read('x/waveform', dims), b.read('x0/waveform', dims)];
  const mask = b.input('const/mask', [1, ...dims]);
  const lengthOf = (value: string) => {
    const squares = b.op('ReduceSumSquare', [b.reshape(value, [-1, 42, 55]), b.ints([2])]);
    return b.op('Sqrt', [b.reduceSum(squares, [1, 2], false)]);
  };
  const gradient = b.times(b.read('grad/waveform', dims), mask);
  const moved = b.minus(x, b.times(gradient, spread(b, b.over(b.read('param/step'), lengthOf(gradient)), 1)));
  const away = b.minus(moved, clean);
  const factor = b.op('Min', [b.over(b.read('param/epsilon'), lengthOf(away)), b.scalar(1)]);
  const next = b.plus(clean, b.times(away, spread(b, factor, 1)));
  const bounds = b.constant(
    float32(
      Float32Array.from({ length: 2310 }, (_, at) => 0.2 + at / 2310),
      [1, 2310],
    ),
  );
  b.write('next/waveform', b.op('Min', [b.op('Clip', [next, b.scalar(-1), b.scalar(1)]), bounds]));
}

/** A budget a frame: rows of an example that have scalars of their own. */
function rowsStep(b: TestProgram): void {
  const rows = b.reshape(b.read('x/frames', SIZES.frames), [-1, 840]);
  const largest = b.op('ReduceMax', [b.op('Abs', [rows]), b.ints([1])], { keepdims: int(0) });
  const scaled = b.over(rows, spread(b, b.op('Max', [largest, b.scalar(1e-9)]), 1));
  const low = b.op('And', [b.op('Less', [scaled, b.scalar(0)]), b.op('Greater', [scaled, b.scalar(-0.5)])]);
  b.write('next/frames', b.reshape(b.op('Where', [low, b.scalar(0), scaled]), [-1, ...SIZES.frames]));
}

/** What only the runtime knows stands between passes, and takes a mask. */
function mixedStep(b: TestProgram): void {
  const dims = SIZES.waveform;
  const x = b.read('x/waveform', dims);
  const bent = b.op('Tanh', [b.times(b.plus(x, x), b.scalar(0.5))]);
  const sorted = b.op('CumSum', [bent, b.ints([1])]);
  const above = b.op('Greater', [b.op('Abs', [sorted]), b.scalar(1)]);
  const counted = b.op('Cast', [above], { to: int(1) });
  b.write('next/waveform', b.minus(b.times(counted, b.scalar(0.25)), b.op('Neg', [bent])));
  b.write('outcome/mean', b.op('ReduceMean', [b.op('Abs', [sorted]), b.ints([1])], { keepdims: int(0) }));
}

const dimsOf = ({ types }: ShapedProgram, name: string, examples: number) =>
  (types.get(name)?.dims ?? []).map((size) => (isBatchAxis(size) ? size.batch * examples : size));

const tensorOf = (dims: readonly number[], at: (index: number) => number) =>
  new OrtTensor(
    'float32',
    Float32Array.from({ length: elementCount(dims) }, (_, index) => at(index)),
    dims,
  );

for (const [about, build, passes, exact] of [
  ['signs, bounds and the best point', signStep, 2, true],
  ['lengths in blocks', lengthStep, 3, false],
  ['rows with scalars of their own', rowsStep, 2, true],
  ['between what only the runtime knows', mixedStep, 2, false],
] as const) {
  test(`passes make what the runtime makes: ${about}`, async () => {
    const step = await shaped(build);
    const { graph, types } = step;
    const split = splitProgram(graph, types);
    const found = split?.stages.flatMap((stage) => (stage.kind === 'passes' ? stage.passes : [])) ?? [];
    assert.ok(found.length >= passes, `${found.length} passes`);
    await using whole = await Session.create(modelOf(graph));
    await using fused = await FusedProgram.load(graph, types, {});
    assert.ok(fused instanceof FusedProgram);
    for (const examples of [1, 3, 2]) {
      const feeds = Object.fromEntries(
        graph.inputs.map(({ name }, at) => [
          name,
          tensorOf(dimsOf(step, name, examples), (index) => Math.sin(index * 1.37 + 10 * at) ** 3),
        ]),
      );
      const asked = Object.fromEntries(graph.outputs.map(({ name }) => [name, null]));
      const expected = await whole.run(feeds, asked);
      const memory = Object.fromEntries(
        graph.outputs.map(({ name }) => [name, tensorOf(dimsOf(step, name, examples), () => Number.NaN)]),
      );
      for (const outputs of [asked, memory]) {
        const made = await fused.run(feeds, outputs);
        for (const [name, tensor] of Object.entries(made)) {
          assert.deepEqual(tensor.dims, expected[name]?.dims, name);
          for (const [index, value] of Object.entries(tensor.data)) {
            const other = Number(expected[name]?.data[Number(index)]);
            const isSum = !exact || name.startsWith('outcome/');
            const tolerance = isSum ? 1e-5 * Math.max(1, Math.abs(other)) : 0;
            assert.ok(Math.abs(Number(value) - other) <= tolerance, `${name}[${index}]: ${value}, not ${other}`);
          }
        }
      }
      assert.equal((await fused.run(feeds, memory))['next/waveform'], memory['next/waveform']);
    }
  });
}

test('only what is asked for is made', async () => {
  const { graph, types } = await shaped(signStep);
  await using fused = await FusedProgram.load(graph, types, {});
  const feeds = Object.fromEntries(
    graph.inputs.map(({ name, dims = [] }) => [
      name,
      tensorOf(
        dims.map((size) => (typeof size === 'number' ? size : 2)),
        () => 0,
      ),
    ]),
  );
  const made = await fused.run(feeds, { 'outcome/frames': null });
  assert.deepEqual(Object.keys(made), ['outcome/frames']);
});

test('short values stay with the runtime', async () => {
  const { graph, types } = await shaped((b) => {
    const logits = b.op('Abs', [b.op('Neg', [b.op('Sign', [b.read('logits', [4])])])]);
    b.write('outcome/sum', b.op('ReduceSum', [logits, b.ints([1])], { keepdims: int(0) }));
  });
  assert.equal(splitProgram(graph, types), undefined);
  await using loaded = await FusedProgram.load(graph, types, {});
  assert.ok(loaded instanceof Session);
});
