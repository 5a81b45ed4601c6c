import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GraphBuilder, int, ints } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { countMacs } from './count-macs.ts';

test('a recurrent layer counts its products at every step, in both directions', async () => {
  const [steps, features, hidden, directions] = [5, 7, 4, 2];
  const g = new GraphBuilder();
  const weights = [g.input('w', [directions, 3 * hidden, features]), g.input('r', [directions, 3 * hidden, hidden])];
  const y = g.op('GRU', [g.transpose(g.input('x', ['batch', steps, features]), [1, 0, 2]), ...weights], {
    hidden_size: int(hidden),
    direction: { type: 'string', value: 'bidirectional' },
  });
  g.output(y);
  const graph = g.graph();
  assert.equal(countMacs(graph, await dryRun(graph)), steps * directions * 3 * hidden * (features + hidden));
});

test('convolutions and products count for one example', async () => {
  const g = new GraphBuilder();
  const x = g.input('x', ['batch', 3, 8, 6]);
  const maps = g.op('Conv', [x, g.input('k', [5, 3, 3, 3])], { strides: ints([2, 2]), pads: ints([1, 1, 1, 1]) });
  const flat = g.reshape(maps, [-1, 5 * 4 * 3]);
  g.output(g.op('Gemm', [g.matmul(flat, g.input('a', [60, 10])), g.input('b', [10, 2])]));
  const graph = g.graph();
  assert.equal(countMacs(graph, await dryRun(graph)), 5 * 4 * 3 * 27 + 60 * 10 + 10 * 2);
});
