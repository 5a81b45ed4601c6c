import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { float32, GraphBuilder, int, int64, type Model, standardModel } from '@faultline/onnx';
import { Session } from './session.ts';
import { float32Data, toOrt } from './tensors.ts';

type Builder = GraphBuilder;

const at = (b: Builder, sequence: string, index: number) =>
  b.op('SequenceAt', [sequence, b.constant(int64([index], []))]);

/** Sequences as exporters leave them. */
const FORMS: Readonly<Record<string, (b: Builder, x: string) => string>> = {
  'parts of one element, their axis dropped': (b, x) => {
    const parts = b.op('SplitToSequence', [x], { axis: int(1), keepdims: int(0) });
    return b.minus(at(b, parts, 0), at(b, parts, -2));
  },
  'parts of one element, their axis kept': (b, x) => {
    const parts = b.op('SplitToSequence', [x], { axis: int(1) });
    return b.minus(at(b, parts, -1), at(b, parts, 1));
  },
  'parts of equal size': (b, x) => {
    const parts = b.op('SplitToSequence', [x, b.constant(int64([2], []))], { axis: int(-1) });
    return b.minus(at(b, parts, 0), at(b, parts, 1));
  },
  'parts of given sizes': (b, x) => {
    const parts = b.op('SplitToSequence', [x, b.ints([3, 1])], { axis: int(2) });
    return b.minus(at(b, parts, 0), at(b, parts, -1));
  },
  'tensors joined': (b, x) => {
    const made = b.op('SequenceConstruct', [x, b.negate(x)]);
    return b.concat([b.op('ConcatFromSequence', [made], { axis: int(1) }), at(b, made, 1)], 1);
  },
  'tensors stacked': (b, x) =>
    b.op('ConcatFromSequence', [b.op('SequenceConstruct', [x, b.negate(x)])], { axis: int(1), new_axis: int(1) }),
};

async function outputOf(model: Model): Promise<Float32Array> {
  await using session = await Session.create(model, { optimization: 'disabled' });
  const { y } = await session.run({
    x: toOrt(
      float32(
        Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)),
        [2, 3, 4],
      ),
    ),
  });
  assert.ok(y);
  return float32Data(y);
}

describe('sequences of tensors are written as slices and joins', () => {
  for (const [about, build] of Object.entries(FORMS)) {
    test(about, async () => {
      const b = new GraphBuilder();
      b.output(b.op('Identity', [build(b, b.input('x', ['batch', 3, 4]))]), undefined, 'unknown', 'y');
      const written = standardModel(b.model());
      assert.ok(!written.graph.nodes.some(({ op }) => op.includes('Sequence')));
      assert.deepEqual(await outputOf(written), await outputOf(b.model()));
    });
  }
});
