import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeModel, encodeModel, float32, GraphBuilder } from '@faultline/onnx';
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
