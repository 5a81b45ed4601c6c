import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeModel,
  encodeModel,
  float32,
  type Graph,
  GraphBuilder,
  int,
  ints,
  joinGraphs,
  type Model,
  prefixValues,
  standardModel,
  type Tensor,
} from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { gradcheck } from '../gradcheck/gradcheck.ts';
import { openWithRuntime } from '../gradcheck/open-with-runtime.ts';
import { irregular, Layers } from './layers.ts';

/** Shifts and scales the waveform by parameters: (x/waveform, gain, offset) -> waveform. */
function transform(): Graph {
  const b = new GraphBuilder({ prefix: 'transform/' });
  const scaled = b.times(b.input('x/waveform', ['batch', 96]), b.input('gain', ['batch', 1]));
  b.output(
    b.op('Clip', [b.plus(scaled, b.input('offset', [96])), b.scalar(-2), b.scalar(2)]),
    ['batch', 96],
    'float32',
    'waveform',
  );
  return b.graph();
}

/** waveform [batch, 96] -> log-mel-like features [batch, 1, 5, 8] */
function frontEnd(): Graph {
  const l = new Layers();
  const { b } = l;
  const signal = b.op('Unsqueeze', [b.input('waveform', ['batch', 96]), b.ints([1])]);
  const filtered = b.op('Conv', [signal, l.weights([8, 1, 32])], { strides: ints([16]) });
  const power = b.op('Log', [b.plus(b.times(filtered, filtered), b.scalar(0.1))]);
  b.output(b.op('Unsqueeze', [b.transpose(power, [0, 2, 1]), b.ints([1])]), ['batch', 1, 5, 8], 'float32', 'features');
  return prefixed(b.graph(), 'front-end/');
}

const prefixed = (graph: Graph, prefix: string): Graph =>
  prefixValues(graph, prefix, new Set([...graph.inputs, ...graph.outputs].map(({ name }) => name)));

/** Half-precision bits of numbers that are halves exactly: sign, exponent, ten bits of fraction. */
function half(value: number): number {
  if (value === 0) return 0;
  const exponent = Math.floor(Math.log2(Math.abs(value)));
  const fraction = Math.round((Math.abs(value) / 2 ** exponent - 1) * 1024);
  return (value < 0 ? 0x8000 : 0) + (exponent + 15) * 1024 + fraction;
}

/** Features and frames, two inputs, in half precision -> logits, with a tap between the branches and the head. */
function victim(): Model {
  const l = new Layers();
  const { b } = l;
  const halves = (dims: readonly number[], seed: number) => {
    const { data } = irregular(dims, seed, 0.5);
    const value: Tensor = { dataType: 'float16', dims, data: Uint16Array.from(data as Float32Array, half) };
    return b.constant(value);
  };
  const cast = (value: string, to: number) => b.op('Cast', [value], { to: int(to) });
  const [features, frames] = [b.input('features', ['batch', 1, 5, 8]), b.input('x/frames', ['batch', 3, 6, 6])];
  const heard = b.op('GlobalAveragePool', [b.relu(b.op('Conv', [cast(features, 10), halves([4, 1, 3, 3], 1)]))]);
  const seen = b.op('GlobalMaxPool', [b.op('Conv', [cast(frames, 10), halves([4, 3, 3, 3], 2)])]);
  b.add('Concat', [b.op('Flatten', [heard]), b.op('Flatten', [seen])], { axis: int(1) }, ['tap']);
  const logits = b.op('Gemm', [b.op('Tanh', ['tap']), halves([8, 5], 3)]);
  b.output(cast(logits, 1), ['batch', 5], 'float32', 'logits');
  return b.model();
}

/** (logits, targets, tap, clean tap) -> loss [batch]: a margin and the distance that a tap has moved. */
function objective(): Graph {
  const b = new GraphBuilder({ prefix: 'objective/' });
  const hit = b.times(b.input('logits', ['batch', 5]), b.input('targets', ['batch', 5]));
  const moved = b.minus(b.input('tap', ['batch', 8]), b.input('clean', ['batch', 8]));
  const distance = b.op('ReduceL2', [moved, b.ints([1])], { keepdims: int(0) });
  b.output(
    b.minus(b.op('ReduceLogSumExp', [hit, b.ints([1])], { keepdims: int(0) }), distance),
    ['batch'],
    'float32',
    'loss',
  );
  return b.graph();
}

test('transform, front end, half-precision victim of two inputs, taps and objective are one graph', async () => {
  const { graph } = standardModel(decodeModel(encodeModel(victim())));
  const inner = prefixValues(graph, 'victim/', new Set(['features', 'x/frames', 'logits', 'tap']));
  const whole = joinGraphs(
    [transform(), frontEnd(), inner, objective()],
    [{ name: 'loss', dataType: 'float32', dims: ['batch'] }],
  );
  assert.deepEqual(
    whole.inputs.map(({ name }) => name),
    ['x/waveform', 'gain', 'offset', 'x/frames', 'targets', 'clean'],
  );
  const point = new Map([
    ['x/waveform', irregular([2, 96], 1)],
    ['gain', float32([0.8, 1.1], [2, 1])],
    ['offset', irregular([96], 2, 0.1)],
    ['x/frames', irregular([2, 3, 6, 6], 3)],
    ['targets', float32([1, 0, 0, 1, 0, 0, 1, 0, 0, 0], [2, 5])],
    ['clean', irregular([2, 8], 4)],
  ]);
  const wrt = ['x/waveform', 'x/frames', 'gain', 'offset', 'clean'];
  const types = await dryRun(whole);
  const report = await gradcheck({ graph: whole, types, output: 'loss', wrt, point, open: openWithRuntime });
  assert.equal(report.outcome, 'agrees', JSON.stringify(report.variables, undefined, 1));
  assert.ok(report.variables.every(({ gradientNorm }) => gradientNorm > 1e-3));
});
