import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { elementCount, float32, float64, GraphBuilder, isBatchAxis, type Tensor } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { DECOMPOSITIONS } from '../decompositions/index.ts';
import { centralDifferences, float64Data, gradientsAt, type Point } from '../finite-differences.ts';
import { ESTIMATES, RULES } from '../rules/index.ts';
import type { Case } from './case.ts';
import { CASES } from './index.ts';

const BATCH = 2;
/** Distance of test values from 0, where several operators have their kink. */
const CLEARANCE = 0.1;
const STEP = 1e-5;

/** Distinct, irregular numbers in [0, 1): multiples of the golden ratio. */
function* irregular(): Generator<number, never> {
  for (let i = 1; ; i++) yield (i * 0.6180339887498949 + 0.137) % 1;
}

function pointOf(graph: ReturnType<GraphBuilder['graph']>, [low, high]: readonly [number, number]): Point {
  const numbers = irregular();
  return new Map(
    graph.inputs
      .filter(({ name }) => !graph.initializers.has(name))
      .map((input): [string, Tensor] => {
        const dims = (input.dims ?? []).map((size) => (typeof size === 'number' ? size : BATCH));
        const values = Array.from({ length: elementCount(dims) }, () => {
          const value = low + (high - low) * numbers.next().value;
          return Math.abs(value) < CLEARANCE ? value + Math.sign(value) * CLEARANCE : value;
        });
        return input.dataType === 'float32'
          ? [input.name, { dataType: 'float32', dims, data: Float32Array.from(values) }]
          : [input.name, { dataType: 'float64', dims, data: Float64Array.from(values) }];
      }),
  );
}

/** The case's expression times a constant cotangent of its shape, so that no direction of the output is special. */
async function lossGraph(row: Case) {
  const b = new GraphBuilder({ floatType: row.dataType ?? 'float64' });
  const y = row.build(b, ...row.inputs.map((dims, i) => b.input(`x${i}`, dims)));
  b.output(y);
  const types = new Map(await dryRun(b.graph()));
  const type = types.get(y);
  assert.ok(type);
  const dims = type.dims.map((size) => (isBatchAxis(size) ? size.batch * BATCH : size));
  const numbers = irregular();
  const data = Array.from({ length: elementCount(dims) }, () => 0.5 + numbers.next().value);
  const cotangent = b.constant(type.dataType === 'float32' ? float32(data, dims) : float64(data, dims));
  const loss = b.times(y, cotangent);
  b.output(loss);
  types.set(cotangent, type).set(loss, type);
  const graph = b.graph();
  // As the default of an input it is no constant of the graph: its first axis is to be taken for the batch.
  const inputs = [...graph.inputs, { name: cotangent, dataType: type.dataType, dims }];
  return { graph: { ...graph, inputs }, loss, types };
}

describe('gradients agree with central differences', () => {
  for (const row of CASES) {
    test([row.op, row.about].filter(Boolean).join(', '), async () => {
      const { graph, loss, types } = await lossGraph(row);
      const wrt = (row.wrt ?? row.inputs.map((_, i) => i)).map((i) => `x${i}`);
      const point = pointOf(graph, row.domain ?? [-2, 2]);
      const found = await gradientsAt(graph, loss, wrt, point, types);
      const expected = await centralDifferences(graph, loss, wrt, point, row.step ?? STEP);
      const tolerance = row.dataType === 'float32' ? 2e-3 : 1e-6;
      for (const name of wrt) {
        const grad = found.get(name);
        assert.deepEqual(grad?.dims, point.get(name)?.dims, name);
        const [got, want] = [float64Data(grad), expected.get(name) ?? new Float64Array()];
        for (const [i, value] of got.entries()) {
          const target = want[i] ?? Number.NaN;
          assert.ok(
            Math.abs(value - target) <= tolerance * Math.max(1, Math.abs(target)),
            `${name}[${i}]: ${value}, differences say ${target}`,
          );
        }
      }
    });
  }
});

test('every operator of the table has a case', () => {
  const covered = new Set(CASES.map(({ op }) => op));
  assert.deepEqual(
    Object.keys({ ...RULES, ...DECOMPOSITIONS }).filter(
      // Differences across levels of quantisation are 0 or huge: those rules have their own test.
      (op) => !covered.has(op) && !ESTIMATES.has(op) && op !== 'DequantizeLinear',
    ),
    [],
  );
});
