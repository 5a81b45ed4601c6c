import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeModel, encodeModel, float32, GraphBuilder, int, int64, OnnxError } from '@faultline/onnx';
import { dryRun } from './dry-run.ts';
import { Session } from './session.ts';
import { fromOrt, toOrt } from './tensors.ts';

test('a dry run tells fixed axes from those that follow the batch', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', 4, 3]);
  const flat = b.reshape(x, [-1, 3]);
  const y = b.relu(b.matmul(flat, b.constant(float32(new Array(6).fill(1), [3, 2]))));
  b.output(y);
  const types = await dryRun(b.graph());
  assert.deepEqual(types.get('x'), { dataType: 'float32', dims: [{ batch: 1 }, 4, 3] });
  assert.deepEqual(types.get(flat), { dataType: 'float32', dims: [{ batch: 4 }, 3] });
  assert.deepEqual(types.get(y), { dataType: 'float32', dims: [{ batch: 4 }, 2] });
});

test('a model survives the round trip through its file and still computes', async () => {
  const b = new GraphBuilder();
  b.output(b.plus(b.input('x', ['batch', 2]), b.constant(float32([1, 2]))), ['batch', 2], 'float32', 'y');
  const decoded = decodeModel(encodeModel(b.model()));
  await using session = await Session.create(decoded);
  const { y } = await session.run({ x: toOrt(float32([10, 20, 30, 40], [2, 2])) });
  assert.ok(y);
  assert.deepEqual([...(fromOrt(y).data as Float32Array)], [11, 22, 31, 42]);
});

describe('sizes computed from elements are computed before the values of that size', () => {
  const LARGE = 2 ** 40;
  const bombs: Readonly<Record<string, (b: GraphBuilder, large: string) => string>> = {
    ConstantOfShape: (b, large) => b.op('ConstantOfShape', [b.reshape(large, [1])]),
    Expand: (b, large) => b.op('Expand', [b.scalar(1), b.reshape(large, [1])]),
    Tile: (b, large) => b.op('Tile', [b.constant(float32([1, 2])), b.reshape(large, [1])]),
    Range: (b, large) => b.op('Range', [b.constant(int64([0], [])), b.reshape(large, []), b.constant(int64([1], []))]),
    Pad: (b, large) => b.op('Pad', [b.constant(float32([1])), b.concat([b.ints([0]), b.reshape(large, [1])], 0)]),
    Resize: (b, large) =>
      b.op('Resize', [b.constant(float32([1, 2])), '', '', b.reshape(large, [1])], {
        mode: { type: 'string', value: 'nearest' },
      }),
    OneHot: (b, large) => b.op('OneHot', [b.ints([1]), b.reshape(large, []), b.constant(float32([0, 1]))]),
  };
  for (const [name, bomb] of Object.entries(bombs)) {
    test(name, async () => {
      const b = new GraphBuilder();
      const x = b.input('x', ['batch', 2]);
      const total = b.op('Cast', [b.times(b.reduceSum(x, [0, 1], false), b.scalar(LARGE))], { to: int(7) });
      b.output(bomb(b, total));
      const before = process.memoryUsage.rss();
      await assert.rejects(
        dryRun(b.graph()),
        (error) => error instanceof OnnxError && /at most \d+ is run/.test(error.message),
      );
      assert.ok(process.memoryUsage.rss() - before < 2 ** 28);
    });
  }

  test('a size within bounds is run', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 2]);
    const count = b.op('Cast', [b.op('ReduceMax', [x], { keepdims: int(0) })], { to: int(7) });
    b.output(
      b.op('ConstantOfShape', [b.reshape(b.op('Add', [count, b.constant(int64([3], []))]), [1])]),
      undefined,
      'unknown',
      'y',
    );
    assert.deepEqual((await dryRun(b.graph())).get('y')?.dims, [3]);
  });
});
