import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, float32, float64, type Graph, GraphBuilder, modelOf, type Tensor } from '@faultline/onnx';
import { dryRun, fromOrt, Session, toOrt } from '@faultline/ort';
import { DECOMPOSITIONS } from '../decompositions/index.ts';
import { differentiate } from '../differentiate.ts';
import { float64Data, type Point } from '../finite-differences.ts';
import { ESTIMATES, RULES } from '../rules/index.ts';
import type { Case } from './case.ts';
import { CASES } from './index.ts';

const BATCH = 2;

/** Irregular numbers in [0, 1): multiples of the golden ratio. */
const irregular = (count: number, seed: number) =>
  Float64Array.from({ length: count }, (_, i) => ((i + 1) * 0.6180339887498949 + seed) % 1);

const floating = (row: Case, dims: readonly number[], values: Float64Array): Tensor =>
  row.dataType === 'float32' ? float32(values, dims) : float64(values, dims);

/** A graph ready to give these outputs. */
async function opened(graph: Graph, names: readonly string[]) {
  const outputs = names.map((name) => ({ name, dataType: 'unknown', dims: undefined }) as const);
  const session = await Session.create(modelOf({ ...graph, outputs }), { optimization: 'basic' });
  return {
    at: async (point: Point): Promise<Map<string, Tensor>> => {
      const results = await session.run(Object.fromEntries([...point].map(([name, tensor]) => [name, toOrt(tensor)])));
      return new Map(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
    },
    [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
  };
}

/** A graph with the sum of a value's products with irregular numbers as a further value. */
function weighed(graph: Graph, row: Case, value: string, dims: readonly number[], prefix: string) {
  const floatType = row.dataType ?? 'float64';
  const b = new GraphBuilder({ prefix, floatType });
  const weights = irregular(elementCount(dims), 0.5).map((number) => 0.5 + number);
  const sum = b.op('ReduceSum', [b.times(value, b.constant(floating(row, dims, weights)))], {
    keepdims: { type: 'int', value: 0 },
  });
  const { nodes, initializers } = b.graph();
  const outputs = [{ name: sum, dataType: 'unknown', dims: undefined } as const];
  return {
    sum,
    graph: {
      ...graph,
      nodes: [...graph.nodes, ...nodes],
      initializers: new Map([...graph.initializers, ...initializers]),
      outputs,
    },
  };
}

/** One case of each operator; the first one serves, for forms differ in the same expressions. */
const SEEN = new Set<string>();
const ROWS = CASES.filter(({ op }) => {
  const isFirst = !SEEN.has(op) && op !== 'DequantizeLinear';
  SEEN.add(op);
  return isFirst;
});

describe('gradients of gradients agree with directional differences', () => {
  for (const row of ROWS) {
    test(row.op, async () => {
      const b = new GraphBuilder({ floatType: row.dataType ?? 'float64' });
      const sizes = row.inputs.map((dims) => dims.map((size) => (typeof size === 'number' ? size : BATCH)));
      const y = row.build(b, ...sizes.map((dims, i) => b.input(`x${i}`, dims)));
      b.output(y);
      const { dims = [] } = (await dryRun(b.graph())).get(y) ?? {};
      const loss = weighed(b.graph(), row, y, dims.map(Number), 'loss/');
      const first = differentiate({
        graph: loss.graph,
        types: await dryRun(loss.graph),
        output: loss.sum,
        wrt: ['x0'],
      });
      const norm = weighed(first, row, 'grad/x0', sizes[0] ?? [], 'norm/');
      const wrt = sizes.map((_, i) => `x${i}`);
      const second = differentiate({
        graph: norm.graph,
        types: await dryRun(norm.graph),
        output: norm.sum,
        wrt,
        gradName: (name) => `second/${name}`,
      });
      const [low, high] = row.domain ?? [-2, 2];
      const at = new Map(
        wrt.map((name, i) => {
          const size = sizes[i] ?? [];
          const values = irregular(elementCount(size), 0.137 + i * 0.29).map((number) => {
            const value = low + (high - low) * number;
            return Math.abs(value) < 0.1 ? value + 0.1 : value;
          });
          return [name, floating(row, size, values)] as const;
        }),
      );
      const directions = wrt.map((name, i) =>
        irregular(at.get(name)?.data.length ?? 0, 0.71 + i * 0.13).map((d) => d - 0.4),
      );
      // The second graph holds the first one's value too.
      const slopes = wrt.map((name) => `second/${name}`);
      await using session = await opened(second, [...slopes, norm.sum]);
      const gradients = await session.at(at);
      let along = 0;
      for (const [i, name] of wrt.entries()) {
        for (const [j, slope] of float64Data(gradients.get(`second/${name}`)).entries())
          along += slope * (directions[i]?.[j] ?? 0);
      }
      const step = row.dataType === 'float32' ? 4e-3 : 1e-5;
      const moved = async (by: number) => {
        const point = new Map(
          wrt.map((name, i) => {
            const value = float64Data(at.get(name)).map((element, j) => element + by * (directions[i]?.[j] ?? 0));
            return [name, floating(row, sizes[i] ?? [], value)] as const;
          }),
        );
        return float64Data((await session.at(point)).get(norm.sum))[0] ?? Number.NaN;
      };
      const difference = ((await moved(step)) - (await moved(-step))) / (2 * step);
      const tolerance = (row.dataType === 'float32' ? 1e-2 : 1e-5) * Math.max(1, Math.abs(difference));
      assert.ok(Math.abs(along - difference) <= tolerance, `${along}, differences say ${difference}`);
    });
  }
});

test('every operator is there', () => {
  const all = Object.keys({ ...RULES, ...DECOMPOSITIONS });
  assert.deepEqual(
    all.filter((op) => !SEEN.has(op) && !ESTIMATES.has(op)),
    [],
  );
});
