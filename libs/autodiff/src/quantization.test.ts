import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { float32, GraphBuilder, int, modelOf, type Tensor } from '@faultline/onnx';
import { dryRun, fromOrt, Session, toOrt } from '@faultline/ort';
import { differentiate } from './differentiate.ts';
import { float64Data, gradientsAt } from './finite-differences.ts';

const uint8 = (value: number): Tensor => ({ dataType: 'uint8', dims: [], data: Uint8Array.of(value) });

const slopes = async (b: GraphBuilder, loss: string, x: Tensor) => {
  b.output(loss);
  return [...float64Data((await gradientsAt(b.graph(), loss, ['x'], new Map([['x', x]]))).get('x'))];
};

describe('quantisation passes gradients straight through', () => {
  test('within the levels as the identity, beyond them as a clip', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 4]);
    const [scale, zero] = [b.scalar(0.1), b.constant(uint8(128))];
    const y = b.op('DequantizeLinear', [b.op('QuantizeLinear', [x, scale, zero]), scale, zero]);
    const found = await slopes(b, b.times(y, b.scalar(3)), float32([-20, -1.23, 4.56, 20], [1, 4]));
    assert.deepEqual(
      found.map((value) => Math.round(value * 1e4) / 1e4),
      [0, 3, 3, 0],
    );
  });

  test('levels may be moved about; scales may differ by channel', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 2, 2]);
    const scales = b.constant(float32([0.1, 0.5]));
    const q = b.op('QuantizeLinear', [x, scales]);
    const moved = b.transpose(b.op('Identity', [q]), [0, 2, 1]);
    const y = b.op('DequantizeLinear', [moved, b.scalar(0.1)]);
    const weights = b.constant(float32([1, 2, 3, 4], [2, 2]));
    const found = await slopes(b, b.times(y, weights), float32([1, 2, 3, 4], [1, 2, 2]));
    // Levels of the second channel are five times as wide, but are read as if they were not.
    assert.deepEqual(
      found.map((value) => Math.round(value * 1e4) / 1e4),
      [1, 3, 0.4, 0.8],
    );
  });

  test('scales by block', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [1, 4]);
    const scales = b.constant(float32([0.1, 0.5], [1, 2]));
    const q = b.op('QuantizeLinear', [x, scales], { axis: int(1), block_size: int(2) });
    const other = b.constant(float32([0.1, 0.1], [1, 2]));
    const y = b.op('DequantizeLinear', [q, other], { axis: int(1), block_size: int(2) });
    const found = await slopes(b, b.times(y, b.constant(float32([1, 2, 3, 4]))), float32([0.3, 0.3, 0.7, -90], [1, 4]));
    assert.deepEqual(
      found.map((value) => Math.round(value * 1e4) / 1e4),
      [1, 2, 0.6, 0],
    );
  });

  test('dynamic quantisation takes its scale for constant', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [3]);
    const [q, scale, zero] = [b.fresh('q'), b.fresh('scale'), b.fresh('zero')];
    b.add('DynamicQuantizeLinear', [x], {}, [q, scale, zero]);
    const y = b.op('DequantizeLinear', [q, scale, zero]);
    const found = await slopes(b, b.times(y, b.scalar(2)), float32([-1, 0.3, 1]));
    assert.ok(Math.abs((found[1] ?? 0) - 2) < 1e-5);
  });
});

test('Round, Floor and Ceil pass no gradient, or as the identity would where that is asked for', async () => {
  for (const op of ['Round', 'Floor', 'Ceil']) {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 2]);
    const rounded = b.op(op, [b.times(x, b.scalar(10))]);
    const loss = b.times(rounded, b.constant(float32([3, 5])));
    b.output(loss);
    const graph = b.graph();
    const types = await dryRun(graph);
    for (const [straightThrough, expected] of [
      [false, [0, 0]],
      [true, [30, 50]],
    ] as const) {
      const made = differentiate({ graph, types, output: loss, wrt: ['x'], straightThrough });
      await using session = await Session.create(modelOf(made));
      const { 'grad/x': found } = await session.run({ x: toOrt(float32([0.12, 0.34], [1, 2])) }, ['grad/x']);
      assert.deepEqual(found && [...float64Data(fromOrt(found))], expected, op);
    }
  }
});
