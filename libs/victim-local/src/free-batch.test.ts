import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float32, type Graph, GraphBuilder, modelOf } from '@faultline/onnx';
import { float32Data, OrtTensor, Session } from '@faultline/ort';
import { freeBatch, isForOneExample } from './free-batch.ts';

function exportedForOne(): Graph {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 2, 3]);
  const rows = b.reshape(x, [1, 6]);
  const left = b.reshape(b.plus(rows, b.reshape(b.constant(float32([1, 2, 3, 4, 5, 6])), [1, 6])), [1, -1, 2]);
  b.output(b.reduceSum(left, [2], false), [1, 3], 'float32', 'y');
  return b.graph();
}

test('a model exported for one example gives for a batch what it gives for each', async () => {
  const one = exportedForOne();
  assert.ok(isForOneExample(one));
  const free = freeBatch(one);
  assert.ok(!isForOneExample(free));
  const y = async (graph: Graph, data: readonly number[]) => {
    await using session = await Session.create(
      modelOf({ ...graph, outputs: [{ name: 'y', dataType: 'unknown', dims: undefined }] }),
    );
    const { y: made } = await session.run({
      x: new OrtTensor('float32', Float32Array.from(data), [data.length / 6, 2, 3]),
    });
    assert.ok(made);
    return [...float32Data(made)];
  };
  const [first, second] = [
    [1, 2, 3, 4, 5, 6],
    [-3, 1, 4, 1, -5, 9],
  ];
  assert.deepEqual(await y(free, [...first, ...second]), [...(await y(one, first)), ...(await y(one, second))]);
});
