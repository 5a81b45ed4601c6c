import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Graph, GraphBuilder, int, int64, modelOf } from '@faultline/onnx';
import { Session } from './session.ts';
import { settleBranches } from './settle-branches.ts';
import { float32Data, OrtTensor } from './tensors.ts';

/** A graph without inputs that makes `y` of values around it. */
function branch(build: (b: GraphBuilder) => string, prefix: string): Graph {
  const b = new GraphBuilder({ prefix });
  b.output(build(b), undefined, 'unknown');
  return b.graph();
}

/** Whether the second axis of a value has this size. */
function hasSize(b: GraphBuilder, value: string, size: number): string {
  const axis = b.op('Shape', [value], { start: int(1), end: int(2) });
  return b.op('Equal', [b.op('Squeeze', [axis]), b.constant(int64([size], []))]);
}

test('branches whose conditions show only once an outer branch is taken are taken, however deep', async () => {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', 4]);
  const times = (factor: number) => (inner: GraphBuilder) => inner.times(x, inner.scalar(factor));
  const deep = branch((outer) => {
    const half = outer.slice(x, [0], [2], [1]);
    return outer.op('If', [hasSize(outer, half, 2)], {
      then_branch: { type: 'graph', value: branch(times(3), 'then2/') },
      else_branch: { type: 'graph', value: branch(times(5), 'else2/') },
    });
  }, 'then1/');
  const y = b.op('If', [hasSize(b, x, 4)], {
    then_branch: { type: 'graph', value: deep },
    else_branch: { type: 'graph', value: branch(times(7), 'else1/') },
  });
  b.output(y);
  const { graph, types } = await settleBranches(b.graph());
  assert.ok(!graph.nodes.some(({ op }) => op === 'If'));
  assert.deepEqual(types.get(y)?.dims, [{ batch: 1 }, 4]);
  await using session = await Session.create(modelOf(graph));
  const made = (await session.run({ x: new OrtTensor('float32', Float32Array.of(1, 2, 3, 4), [1, 4]) }))[y];
  assert.ok(made);
  assert.deepEqual([...float32Data(made)], [3, 6, 9, 12]);
});
