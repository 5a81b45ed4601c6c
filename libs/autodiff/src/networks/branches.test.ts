import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { float32, type Graph, GraphBuilder, int, int64, standardModel } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { gradcheck } from '../gradcheck/gradcheck.ts';
import { openWithRuntime } from '../gradcheck/open-with-runtime.ts';
import { inspect } from '../inspect.ts';

const branch = (name: string, build: (b: GraphBuilder) => string, dims?: readonly number[]) => {
  const b = new GraphBuilder({ prefix: `${name}/` });
  b.output(build(b), dims);
  return { type: 'graph', value: b.graph(name) } as const;
};

/** A first stage, and a second one that runs where the first fires, with a branch of its own inside. */
function twoStages() {
  const b = new GraphBuilder();
  const x = b.input('x', [1, 3]);
  const first = b.op('Sigmoid', [b.reduceSum(x, [1])]);
  const inner = branch('inner', (c) => c.op('Tanh', [first]), [1, 1]);
  const fired = b.op('Greater', [first, b.scalar(0.5)]);
  const strong = b.op('Greater', [b.reduceMax(x, [1]), b.scalar(1)]);
  const second = branch(
    'second',
    (c) =>
      c.op('If', [strong], {
        then_branch: branch('strong', (d) => d.reduceSum(d.times(x, x), [1]), [1, 1]),
        else_branch: inner,
      }),
    [1, 1],
  );
  const skipped = branch('skipped', (c) => c.op('Identity', [first]), [1, 1]);
  const chosen = b.op('If', [fired], { then_branch: second, else_branch: skipped });
  b.output(b.reduceSum(chosen, [1]), undefined, 'unknown', 'y');
  return b.model();
}

describe('branches on elements', () => {
  const points = { fired: [0.3, 0.4, 0.2], strong: [1.5, 0.4, 0.2], skipped: [-0.3, 0.1, -0.5] };
  for (const [name, values] of Object.entries(points)) {
    test(`the branch taken is differentiated: ${name}`, async () => {
      const model = twoStages();
      const { graph } = standardModel(model);
      const types = await dryRun(graph);
      assert.equal(inspect({ graph, types, output: 'y', wrt: ['x'] }).verdict, 'white-box');
      const x = float32(values, [1, 3]);
      const report = await gradcheck({
        graph,
        types,
        output: 'y',
        wrt: ['x'],
        point: new Map([['x', x]]),
        open: openWithRuntime,
      });
      assert.equal(report.outcome, 'agrees', JSON.stringify(report.variables));
      const outputOf = async (of: Graph) => {
        await using session = await Session.create({ ...model, graph: of });
        const { y } = await session.run({ x: toOrt(x) });
        return y && [...float32Data(y)];
      };
      assert.deepEqual(await outputOf(graph), await outputOf(model.graph));
    });
  }

  test('branches that may differ in shape stay as they are', () => {
    const b = new GraphBuilder();
    const x = b.input('x', [1, 3]);
    const fired = b.op('Greater', [b.reduceSum(x, [0, 1]), b.scalar(0.5)]);
    const sum = branch('sum', (c) => c.reduceSum(x, [1]), [1, 1]);
    for (const other of [branch('all', (c) => c.negate(x), [1, 3]), branch('undeclared', (c) => c.negate(x))])
      b.output(b.op('If', [fired], { then_branch: sum, else_branch: other }));
    assert.equal(standardModel(b.model()).graph.nodes.filter(({ op }) => op === 'If').length, 2);
  });

  test('branches on shapes and switches stay as they are', () => {
    const b = new GraphBuilder();
    const [x, rate] = [b.input('x', [1, 3]), b.input('rate', [], 'int64')];
    const isLow = b.op('Equal', [rate, b.constant(int64([8000], []))]);
    b.output(
      b.op('If', [isLow], {
        then_branch: branch('low', (c) => c.op('Flatten', [x], { axis: int(1) }), [1, 3]),
        else_branch: branch('high', (c) => c.negate(x), [1, 3]),
      }),
    );
    assert.ok(standardModel(b.model()).graph.nodes.some(({ op }) => op === 'If'));
  });
});
