import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, float32, type Graph, GraphBuilder, modelOf } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { CASES } from '../cases/index.ts';
import { differentiate } from '../differentiate.ts';
import { DECOMPOSITIONS } from './index.ts';

describe('an operator written out computes what the runtime computes', () => {
  for (const row of CASES.filter(({ op }) => op in DECOMPOSITIONS)) {
    test([row.op, row.about].filter(Boolean).join(', '), async () => {
      const b = new GraphBuilder();
      const y = row.build(b, ...row.inputs.map((dims, i) => b.input(`x${i}`, dims)));
      b.output(y);
      const graph = b.graph();
      const written = differentiate({ graph, types: await dryRun(graph), output: y, wrt: ['x0'] });
      assert.ok(!written.nodes.some(({ op }) => op === row.op));
      let count = 0;
      const feeds = Object.fromEntries(
        graph.inputs.map(({ name, dims = [] }) => {
          const sizes = dims.map((size) => (typeof size === 'number' ? size : 2));
          const data = Array.from({ length: elementCount(sizes) }, () => Math.sin(++count * 12.9));
          return [name, toOrt(float32(data, sizes))];
        }),
      );
      const outputOf = async (of: Graph) => {
        const outputs = [{ name: y, dataType: 'unknown', dims: undefined } as const];
        await using session = await Session.create(modelOf({ ...of, outputs }), { optimization: 'disabled' });
        const { [y]: made } = await session.run(feeds);
        assert.ok(made);
        return float32Data(made);
      };
      const [found, expected] = [await outputOf(written), await outputOf(graph)];
      assert.equal(found.length, expected.length);
      assert.ok(found.every((value, i) => Math.abs(value - (expected[i] ?? Number.NaN)) < 2e-5));
    });
  }
});
