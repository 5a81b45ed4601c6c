import assert from 'node:assert/strict';
import { test } from 'node:test';
import { differentiate } from '@faultline/autodiff';
import { float32, GraphBuilder, modelOf } from '@faultline/onnx';
import { dryRun, Session } from '@faultline/ort';
import { mixProbabilities } from './mix-probabilities.ts';
import { runAt } from './testing/points.ts';

const SHARE = 0.6;

const g = new GraphBuilder();
mixProbabilities(g, g.input('a', ['batch', 1]), g.input('b', ['batch', 1]), SHARE, 'mixed');
g.output('mixed', ['batch', 1]);

const sigmoid = (logit: number) => 1 / (1 + Math.exp(-logit));

test('the logit of the mean of two probabilities, and its gradient, also where sigmoids saturate', async () => {
  const pairs: readonly (readonly [number, number])[] = [
    [0, 0],
    [1.5, -2],
    [-8, 3],
    [4, 4],
    [200, -200],
    [-200, -150],
    [300, 300],
  ];
  const graph = g.graph();
  const gradient = differentiate({ graph, types: await dryRun(graph), output: 'mixed', wrt: ['a', 'b'] });
  await using session = await Session.create(modelOf(gradient));
  const column = (at: 0 | 1) =>
    float32(
      pairs.map((pair) => pair[at]),
      [pairs.length, 1],
    );
  const results = await runAt(
    session,
    new Map([
      ['a', column(0)],
      ['b', column(1)],
    ]),
    ['mixed', 'grad/a', 'grad/b'],
  );
  const mixed = results.get('mixed') ?? new Float32Array();
  for (const [index, [a, b]] of pairs.entries()) {
    const logit = mixed[index] ?? Number.NaN;
    if (Math.abs(a) < 20) {
      const p = SHARE * sigmoid(a) + (1 - SHARE) * sigmoid(b);
      assert.ok(Math.abs(logit - Math.log(p / (1 - p))) < 1e-5, `${a}, ${b}: ${logit}`);
      const slope = (SHARE * sigmoid(a) * (1 - sigmoid(a))) / (p * (1 - p));
      assert.ok(Math.abs((results.get('grad/a')?.[index] ?? Number.NaN) - slope) < 1e-5, `${a}, ${b}`);
    }
    for (const name of ['mixed', 'grad/a', 'grad/b']) assert.ok(Number.isFinite(results.get(name)?.[index]), name);
  }
  // p = 0.6 to within float32: a sure branch does not outvote the other.
  assert.ok(Math.abs((mixed[4] ?? Number.NaN) - Math.log(SHARE / (1 - SHARE))) < 1e-4);
});
