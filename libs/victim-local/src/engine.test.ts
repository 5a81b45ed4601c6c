import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float32, GraphBuilder, int, ints, type Model, modelOf, OnnxError, type Tensor } from '@faultline/onnx';
import { float32Data, toOrt } from '@faultline/ort';
import { Engine } from './engine.ts';
import type { Program } from './program.ts';
import { shapeProgram } from './program-shape.ts';
import { settingOf } from './setting.ts';

/** loss = sum over labels of logits x targets */
function objective(): Program {
  const b = new GraphBuilder();
  const [logits, targets] = [b.input('logits', ['batch', 2]), b.input('targets', ['batch', 2])];
  b.output(b.reduceSum(b.times(logits, targets), [1], false), ['batch'], 'float32', 'loss');
  return { role: 'objective', graph: b.graph(), digest: '' };
}

async function gradientOf(model: Model, x: Tensor, targets: Tensor): Promise<number[]> {
  const engine = new Engine(model, 'y', {});
  const { shapes } = await engine.analysis();
  const setting = settingOf({ variables: [{ name: 'sound', scope: 'example' }] }, shapes);
  const programs = {
    objective: await shapeProgram(objective(), setting),
    transform: undefined,
    step: undefined,
    init: undefined,
  };
  await using compiled = await engine.compile(setting, programs);
  const slots = new Map([
    ['x/sound', toOrt(x)],
    ['targets', toOrt(targets)],
  ]);
  const gradient = (await compiled.evaluate('gradient', slots, () => null)).get('grad/sound');
  assert.ok(gradient);
  return [...float32Data(gradient)].map((value) => Math.round(value * 1e4) / 1e4);
}

const x = float32([1, 2, 3, 4], [1, 4]);
const targets = float32([1, 0], [1, 2]);

test('a model of opset 9 is differentiated as it was meant', async () => {
  const b = new GraphBuilder();
  const sound = b.input('sound', ['batch', 4]);
  const [left, right] = [b.fresh('left'), b.fresh('right')];
  b.add('Split', [b.op('Pad', [sound], { pads: ints([0, 0, 0, 2]) })], { axis: int(1), split: ints([3, 3]) }, [
    left,
    right,
  ]);
  const clipped = b.op('Clip', [left], { min: { type: 'float', value: 0 }, max: { type: 'float', value: 2.5 } });
  const parts = [clipped, right].map((value) => b.op('ReduceSum', [value], { axes: ints([1]), keepdims: int(1) }));
  b.output(b.op('Concat', parts, { axis: int(1) }, 'y'), ['batch', 2]);
  assert.deepEqual(await gradientOf({ ...modelOf(b.graph(), 9), irVersion: 4 }, x, targets), [1, 1, 0, 0]);
});

test('half precision, fused operators and branches on shapes', async () => {
  const branch = (op: string) => {
    const inner = new GraphBuilder({ prefix: `${op}/` });
    inner.output(inner.op(op, ['z']), ['batch', 4]);
    return { type: 'graph', value: inner.graph(op) } as const;
  };
  // 1, 2, 0.5, -1 twice, as halves.
  const halves = Uint16Array.of(0x3c00, 0x3c00, 0x4000, 0x4000, 0x3800, 0x3800, 0xbc00, 0xbc00);
  const b = new GraphBuilder();
  b.input('sound', ['batch', 4]);
  b.add('Identity', ['sound'], {}, ['z']);
  const size = b.op('Gather', [b.op('Shape', ['z']), b.ints([1])]);
  const chosen = b.op('If', [b.op('Squeeze', [b.op('Equal', [size, b.ints([4])])])], {
    then_branch: branch('Neg'),
    else_branch: branch('Exp'),
  });
  const half = b.op('Cast', [chosen], { to: int(10) });
  const product = b.op('MatMul', [half, b.constant({ dataType: 'float16', dims: [4, 2], data: halves })]);
  const single = b.op('Cast', [product], { to: int(1) });
  b.append([
    {
      name: '',
      op: 'FusedGemm',
      domain: 'com.microsoft',
      inputs: [single, b.constant(float32([1, 0, 0, 1], [2, 2]))],
      outputs: ['y'],
      attributes: {},
    },
  ]);
  b.output('y', ['batch', 2]);
  const model = { ...b.model(), domains: new Map([['com.microsoft', 1]]) };
  assert.deepEqual(await gradientOf(model, x, targets), [-1, -2, -0.5, 1]);
});

test('models that do not hang together, or are too new, are refused', () => {
  const b = new GraphBuilder();
  b.input('sound', ['batch', 4]);
  b.add('Add', ['sound', 'missing'], {}, ['y']);
  b.output('y');
  assert.throws(() => new Engine(b.model(), 'y', {}), /reads 'missing', which nothing makes/);
  const c = new GraphBuilder();
  c.output(c.op('Neg', [c.input('sound', ['batch', 4])], {}, 'y'));
  assert.throws(() => new Engine(modelOf(c.graph(), 99), 'y', {}), OnnxError);
});
