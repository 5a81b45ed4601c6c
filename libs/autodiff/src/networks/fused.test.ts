import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Attributes, float, int, modelOf, standardModel, string, type Tensor } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { gradcheck } from '../gradcheck/gradcheck.ts';
import { openWithRuntime } from '../gradcheck/open-with-runtime.ts';
import { inspect } from '../inspect.ts';
import { irregular, Layers } from './layers.ts';

interface Row {
  readonly op: string;
  readonly about?: string;
  readonly domain?: string;
  readonly opset?: number;
  readonly x: readonly number[];
  /** Inputs of the node behind x, '' for those left out. */
  readonly more?: (l: Layers, x: string) => readonly string[];
  readonly attributes?: Attributes;
}

const vector = (size: number) => (l: Layers) => [l.vector(size, 1)];
const heads = { num_heads: int(2) };
const mask: Tensor = { dataType: 'int32', dims: [2, 3], data: Int32Array.of(1, 1, 0, 1, 1, 1) };

/** Fused operators through which a gradient is to flow, to all of their inputs that hang on x. */
const ROWS: readonly Row[] = [
  { op: 'Gelu', x: [2, 3] },
  { op: 'BiasGelu', x: [2, 3], more: vector(3) },
  { op: 'FastGelu', x: [2, 3], more: vector(3) },
  { op: 'QuickGelu', x: [2, 3] },
  {
    op: 'FusedMatMul',
    x: [2, 4, 3],
    more: (l) => [l.weights([2, 2, 4])],
    attributes: { transA: int(1), transB: int(1), alpha: float(0.5) },
  },
  { op: 'FusedMatMul', about: 'of itself', x: [2, 4, 3], more: (_, x) => [x], attributes: { transB: int(1) } },
  {
    op: 'FusedGemm',
    x: [2, 3],
    more: (l) => [l.weights([3, 4]), l.vector(4, 0)],
    attributes: { activation: string('Tanh') },
  },
  {
    op: 'FusedConv',
    x: [2, 2, 4, 4],
    more: (l) => [l.weights([3, 2, 3, 3]), l.vector(3, 0)],
    attributes: { activation: string('LeakyRelu'), activation_params: { type: 'floats', value: [0.2] } },
  },
  {
    op: 'SkipLayerNormalization',
    x: [2, 3, 4],
    more: (l, x) => [l.b.op('Tanh', [x]), l.vector(4, 1), l.vector(4, 0), l.vector(4, 0)],
  },
  { op: 'SkipSimplifiedLayerNormalization', x: [2, 3, 4], more: (l, x) => [l.b.op('Tanh', [x]), l.vector(4, 1)] },
  {
    op: 'RMSNormalization',
    domain: '',
    opset: 23,
    x: [2, 3, 4],
    more: (l) => [l.weights([3, 4])],
    attributes: { axis: int(1) },
  },
  { op: 'Swish', domain: '', opset: 24, x: [2, 3] },
  {
    op: 'Attention',
    x: [2, 3, 4],
    more: (l) => [l.weights([4, 12]), l.vector(12, 0), l.b.constant(mask)],
    attributes: heads,
  },
  {
    op: 'Attention',
    about: 'causal',
    x: [2, 3, 4],
    more: (l) => [l.weights([4, 12]), l.vector(12, 0)],
    attributes: { ...heads, unidirectional: int(1) },
  },
  {
    op: 'MultiHeadAttention',
    x: [2, 3, 4],
    more: (l, x) => [l.linear(x, 4, 4), l.linear(x, 4, 4), l.vector(12, 0), '', l.weights([2, 2, 3, 3])],
    attributes: heads,
  },
  {
    op: 'Attention',
    about: 'grouped',
    domain: '',
    opset: 23,
    x: [2, 3, 8],
    more: (l, x) => [l.linear(x, 8, 4), l.linear(x, 8, 4)],
    attributes: { q_num_heads: int(4), kv_num_heads: int(2), is_causal: int(1) },
  },
  {
    op: 'LSTM',
    about: 'batch first',
    domain: '',
    x: [2, 3, 4],
    more: (l) => [l.weights([1, 8, 4], 4), l.weights([1, 8, 2], 2)],
    attributes: { hidden_size: int(2), layout: int(1) },
  },
];

const zero = (value: number): Tensor => ({ dataType: 'uint8', dims: [], data: Uint8Array.of(value) });
const levels = (dims: readonly number[]): Tensor => ({
  dataType: 'uint8',
  dims,
  data: Uint8Array.from(irregular(dims, 5, 127).data as Float32Array, (value) => 128 + value),
});

describe('gradients flow through operators that optimisers fused', () => {
  for (const { op, about, domain = 'com.microsoft', opset = 21, x, more, attributes = {} } of ROWS) {
    test([op, about].filter(Boolean).join(', '), async () => {
      const l = new Layers();
      const { b } = l;
      const value = b.input('x', x);
      const inputs = [value, ...(more?.(l, value) ?? [])];
      b.append([{ name: '', op, domain, inputs, outputs: ['made'], attributes }]);
      b.output(b.times('made', b.op('Sigmoid', ['made'])), undefined, 'unknown', 'y');
      const { graph } = standardModel({ ...modelOf(b.graph(), opset), domains: new Map([['com.microsoft', 1]]) });
      const types = await dryRun(graph);
      assert.equal(inspect({ graph, types, output: 'y', wrt: ['x'] }).verdict, 'white-box');
      const report = await gradcheck({
        graph,
        types,
        output: 'y',
        wrt: ['x'],
        point: new Map([['x', irregular(x, 7)]]),
        open: openWithRuntime,
      });
      assert.equal(report.outcome, 'agrees', JSON.stringify(report.variables, undefined, 1));
      assert.ok((report.variables[0]?.gradientNorm ?? 0) > 1e-2);
    });
  }

  test('quantised operators pass an estimate, near the gradient of what they round', async () => {
    const l = new Layers();
    const { b } = l;
    const [scale, point] = [b.scalar(0.02), b.constant(zero(128))];
    const q = b.op('QuantizeLinear', [b.input('x', ['batch', 2, 6, 6]), scale, point]);
    const [coarse, coarsePoint] = [b.scalar(0.1), b.constant(zero(120))];
    const inputs = [q, scale, point, b.constant(levels([3, 2, 3, 3])), b.scalar(0.01), point, coarse, coarsePoint];
    b.append([{ name: '', op: 'QLinearConv', domain: '', inputs, outputs: ['c'], attributes: {} }]);
    const act = (op: string, from: string, to: string) =>
      b.append([
        {
          name: '',
          op,
          domain: 'com.microsoft',
          inputs: [from, coarse, coarsePoint, scale, point],
          outputs: [to],
          attributes: {},
        },
      ]);
    act('QLinearLeakyRelu', 'c', 'r');
    b.add('Identity', ['r'], {}, ['same']);
    b.append([
      {
        name: '',
        op: 'QLinearGlobalAveragePool',
        domain: 'com.microsoft',
        inputs: ['same', scale, point, scale, point],
        outputs: ['p'],
        attributes: {},
      },
    ]);
    const pooled = b.op('DequantizeLinear', ['p', scale, point]);
    const [dynamic, dynamicScale, dynamicZero] = ['a', 'b', 'c'].map((name) => b.fresh(name));
    b.add('DynamicQuantizeLinear', [b.op('Flatten', [pooled])], {}, [
      dynamic ?? '',
      dynamicScale ?? '',
      dynamicZero ?? '',
    ]);
    const product = b.op('MatMulInteger', [dynamic ?? '', b.constant(levels([3, 4])), dynamicZero ?? '', point]);
    const numbers = b.times(b.op('Cast', [product], { to: int(1) }), b.times(dynamicScale ?? '', b.scalar(0.01)));
    b.output(b.op('ReduceLogSumExp', [numbers, b.ints([1])]), undefined, 'unknown', 'y');
    const { graph } = standardModel({ ...b.model(), domains: new Map([['com.microsoft', 1]]) });
    const types = await dryRun(graph);
    const found = inspect({ graph, types, output: 'y', wrt: ['x'] });
    assert.equal(found.verdict, 'white-box with estimation', JSON.stringify(found.operators));
    const report = await gradcheck({
      graph,
      types,
      output: 'y',
      wrt: ['x'],
      point: new Map([['x', irregular([2, 2, 6, 6], 7)]]),
      open: openWithRuntime,
      // Steps over many levels, along which the rounding averages out.
      steps: [1, 0.8, 0.6, 0.4],
      tolerance: 0.15,
    });
    assert.deepEqual(report.estimates, ['QuantizeLinear', 'DynamicQuantizeLinear']);
    const [along] = report.variables[0]?.directions ?? [];
    assert.equal(along?.direction, 'gradient');
    assert.equal(along?.outcome, 'agrees', JSON.stringify(along));
  });
});
