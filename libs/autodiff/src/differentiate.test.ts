import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  float32,
  float64,
  type Graph,
  GraphBuilder,
  inlineBranches,
  int,
  int64,
  ints,
  modelOf,
  OnnxError,
  type Tensor,
} from '@faultline/onnx';
import { dryRun, fromOrt, Session, toOrt } from '@faultline/ort';
import { type DifferentiateOptions, differentiate, MissingRuleError } from './differentiate.ts';
import { float64Data, gradientsAt } from './finite-differences.ts';

const differentiated = async (graph: Graph, options: Omit<DifferentiateOptions, 'graph' | 'types'>) =>
  differentiate({ graph, types: await dryRun(graph), ...options });

const run = async (graph: Graph, feeds: Record<string, Tensor>) => {
  await using session = await Session.create(modelOf(graph), { optimization: 'basic' });
  const results = await session.run(
    Object.fromEntries(Object.entries(feeds).map(([name, tensor]) => [name, toOrt(tensor)])),
  );
  return Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, fromOrt(tensor)]));
};

const numbers = (tensor: Tensor | undefined) => [...float64Data(tensor)];
const opsOf = (graph: Graph) => graph.nodes.map(({ op }) => op);

/** loss = sum over features of x^2 y, [batch] */
function squares() {
  const b = new GraphBuilder({ floatType: 'float64' });
  const [x, y] = [b.input('x', ['batch', 2]), b.input('y', ['batch', 2])];
  b.output(b.reduceSum(b.times(b.times(x, x), y), [1], false), ['batch'], 'float64', 'loss');
  return b.graph();
}

describe('differentiate', () => {
  test('a value that is used twice sums its contributions; outputs stay', async () => {
    const graph = await differentiated(squares(), { output: 'loss', wrt: ['x', 'y'] });
    assert.deepEqual(
      graph.outputs.map(({ name }) => name),
      ['loss', 'grad/x', 'grad/y'],
    );
    assert.deepEqual(graph.outputs[1], { name: 'grad/x', dataType: 'float64', dims: ['batch', 2] });
    const found = await run(graph, { x: float64([1, 2, 3, 4], [2, 2]), y: float64([5, 6, 7, 8], [2, 2]) });
    assert.deepEqual(numbers(found.loss), [29, 191]);
    assert.deepEqual(numbers(found['grad/x']), [10, 24, 42, 64]);
    assert.deepEqual(numbers(found['grad/y']), [1, 4, 9, 16]);
  });

  test('initializers and inner values can be differentiated; names are chosen', async () => {
    const b = new GraphBuilder({ floatType: 'float64' });
    const x = b.input('x', ['batch', 2]);
    const w = b.constant(float64([1, -2], [2, 1]), 'w');
    const z = b.op('MatMul', [x, w], {}, 'z');
    b.output(b.times(z, z), ['batch', 1], 'float64', 'loss');
    const graph = await differentiated(b.graph(), {
      output: 'loss',
      wrt: ['w', 'z', 'x'],
      gradName: (name) => `d_${name}`,
    });
    const found = await run(graph, { x: float64([1, 2, 3, 1], [2, 2]) });
    assert.deepEqual(numbers(found.d_z), [-6, 2]);
    assert.deepEqual(numbers(found.d_w), [0, -10]);
    assert.deepEqual(numbers(found.d_x), [-6, 12, 2, -4]);
    assert.deepEqual(found.d_w?.dims, [2, 1]);
  });

  test('the gradient of the output itself is one, in its shape', async () => {
    const graph = await differentiated(squares(), { output: 'loss', wrt: ['loss'] });
    const feeds = { x: float64([1, 2, 3, 4], [2, 2]), y: float64([5, 6, 7, 8], [2, 2]) };
    assert.deepEqual(numbers((await run(graph, feeds))['grad/loss']), [1, 1]);
  });

  test('zeros where a value does not act on the output, or only through a step function', async () => {
    const b = new GraphBuilder({ floatType: 'float64' });
    const [x, y, z] = [b.input('x', ['batch', 2]), b.input('y', ['batch', 3]), b.input('z', ['batch', 2])];
    b.output(b.times(x, b.op('Sign', [z])), undefined, 'unknown', 'loss');
    b.output(b.negate(y));
    const graph = await differentiated(b.graph(), { output: 'loss', wrt: ['y', 'z', 'x'] });
    const found = await run(graph, {
      x: float64([1, 2], [1, 2]),
      y: float64([1, 2, 3], [1, 3]),
      z: float64([-3, 4], [1, 2]),
    });
    assert.deepEqual(
      [found['grad/y']?.dims, numbers(found['grad/y'])],
      [
        [1, 3],
        [0, 0, 0],
      ],
    );
    assert.deepEqual(numbers(found['grad/z']), [0, 0]);
    assert.deepEqual(numbers(found['grad/x']), [-1, 1]);
  });

  test('two names may share one gradient', async () => {
    const b = new GraphBuilder({ floatType: 'float64' });
    const [x, y] = [b.input('x', ['batch', 2]), b.input('y', ['batch', 2])];
    const sum = b.plus(x, y);
    b.output(b.times(sum, sum), undefined, 'unknown', 'loss');
    const graph = await differentiated(b.graph(), { output: 'loss', wrt: ['x', 'y'] });
    const found = await run(graph, { x: float64([1, 2], [1, 2]), y: float64([3, 4], [1, 2]) });
    assert.deepEqual(numbers(found['grad/x']), [8, 12]);
    assert.deepEqual(numbers(found['grad/y']), [8, 12]);
  });

  test('means over the batch divide by its size', async () => {
    const b = new GraphBuilder({ floatType: 'float64' });
    const x = b.input('x', ['batch', 2]);
    b.output(b.op('ReduceMean', [b.times(x, x)], { keepdims: int(0) }), [], 'float64', 'loss');
    const found = await gradientsAt(b.graph(), 'loss', ['x'], new Map([['x', float64([1, 2, 3, 4, 5, 6], [3, 2])]]));
    assert.deepEqual(
      numbers(found.get('x')).map((value) => Math.round(value * 6)),
      [2, 4, 6, 8, 10, 12],
    );
  });
});

describe('what is known before the graph runs', () => {
  /** Pads as PyTorch writes them: reversed pairs, rearranged by shape operators. */
  test('pads computed from constants and from the shapes of other values', async () => {
    const b = new GraphBuilder({ floatType: 'float64' });
    const x = b.input('x', ['batch', 3]);
    const width = b.op('Gather', [b.op('Shape', [x]), b.constant(int64([1], []))]);
    const missing = b.op('Sub', [b.constant(int64([5], [])), width]);
    const pairs = b.concat([b.op('Unsqueeze', [missing, b.ints([0])]), b.ints([1, 0, 0])], 0);
    const reversed = b.slice(b.reshape(pairs, [-1, 2]), [-1], [-9223372036854775000], [0], [-1]);
    const pads = b.op('Cast', [b.reshape(b.transpose(reversed, [1, 0]), [-1])], { to: int(7) });
    const y = b.op('Pad', [x, pads]);
    b.output(b.times(y, b.constant(float64([1, 2, 3, 4, 5, 6]))), undefined, 'unknown', 'loss');
    const found = await gradientsAt(b.graph(), 'loss', ['x'], new Map([['x', float64([1, 1, 1], [1, 3])]]));
    assert.deepEqual(numbers(found.get('x')), [3, 4, 5]);
  });

  test('the branch of an If on a shape, inlined', async () => {
    const branch = (op: string) => {
      const inner = new GraphBuilder({ prefix: `${op}/` });
      inner.output(inner.op(op, ['x']), ['batch', 2], 'float64');
      return { type: 'graph', value: inner.graph(op) } as const;
    };
    const b = new GraphBuilder({ floatType: 'float64' });
    const x = b.input('x', ['batch', 2]);
    const size = b.op('Gather', [b.op('Shape', [x]), b.constant(int64([1], []))]);
    const condition = b.op('Equal', [size, b.constant(int64([2], []))]);
    const y = b.op('If', [condition], { then_branch: branch('Exp'), else_branch: branch('Neg') });
    b.output(y, undefined, 'unknown', 'loss');
    const graph = inlineBranches(b.graph(), await dryRun(b.graph()));
    assert.ok(!opsOf(graph).includes('If'));
    const found = await gradientsAt(graph, 'loss', ['x'], new Map([['x', float64([0, 1], [1, 2])]]));
    assert.deepEqual(numbers(found.get('x')).map(Math.round), [1, 3]);
  });
});

describe('what the gradient graph holds', () => {
  const network = (b: GraphBuilder, w: string, bias: string) => {
    const x = b.input('x', ['batch', 2, 8, 8]);
    const hidden = b.relu(b.op('Conv', [x, w, bias], { pads: ints([1, 1, 1, 1]) }));
    b.output(b.reduceMean(hidden, [1, 2, 3], false), ['batch'], 'float32', 'loss');
    return b.graph();
  };

  test('an input gradient holds one more convolution, with weights arranged beforehand', async () => {
    const b = new GraphBuilder();
    const weights = Float32Array.from({ length: 54 }, (_, i) => i);
    const graph = await differentiated(
      network(b, b.constant(float32(weights, [3, 2, 3, 3]), 'w'), b.constant(float32([1, 2, 3]), 'bias')),
      { output: 'loss', wrt: ['x'] },
    );
    // The mean's gradient is one constant, which the mask multiplies; nothing is expanded, nothing is transposed.
    assert.deepEqual(opsOf(graph), ['Conv', 'Relu', 'ReduceMean', 'Identity', 'HardSigmoid', 'Mul', 'Conv']);
    const arranged = graph.initializers.get(graph.nodes.at(-1)?.inputs[1] ?? '');
    assert.deepEqual(arranged?.dims, [2, 3, 3, 3]);
    assert.deepEqual([...(arranged?.data ?? [])].slice(0, 10), [8, 7, 6, 5, 4, 3, 2, 1, 0, 26]);
  });

  test('a weight gradient leaves the input gradient out', async () => {
    const b = new GraphBuilder();
    const graph = await differentiated(network(b, b.input('w', [3, 2, 3, 3]), b.input('bias', [3])), {
      output: 'loss',
      wrt: ['w', 'bias'],
    });
    // The forward one, and one that puts what the taps see side by side.
    assert.equal(opsOf(graph).filter((op) => op === 'Conv').length, 2);
    assert.equal(opsOf(graph).filter((op) => op === 'MatMul').length, 1);
  });

  test('forward nodes that nothing needs are dropped, inputs stay', async () => {
    const b = new GraphBuilder();
    const [x, unused] = [b.input('x', ['batch']), b.input('unused', ['batch'])];
    b.negate(unused);
    b.output(b.times(x, x), ['batch'], 'float32', 'loss');
    const graph = await differentiated(b.graph(), { output: 'loss', wrt: ['x'] });
    assert.ok(!opsOf(graph).includes('Neg'));
    assert.deepEqual(
      graph.inputs.map(({ name }) => name),
      ['x', 'unused'],
    );
  });

  test('what the forward graph computes already is not computed again', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 3]);
    b.output(b.times(b.op('Softplus', [x]), b.op('Sigmoid', [x])), undefined, 'unknown', 'loss');
    const graph = await differentiated(b.graph(), { output: 'loss', wrt: ['x'] });
    assert.equal(opsOf(graph).filter((op) => op === 'Sigmoid').length, 1);
  });
});

test('a graph in opset 13, axes as attributes, stays valid there', async () => {
  const b = new GraphBuilder({ floatType: 'float64' });
  const x = b.input('x', ['batch', 2, 3]);
  const mean = b.op('ReduceMean', [x], { axes: ints([2]), keepdims: int(0) }, 'mean');
  b.output(b.op('Mul', [mean, mean], {}, 'loss'), ['batch', 2], 'float64');
  const dims = [{ batch: 1 }, 2];
  const types = new Map(
    [x, mean, 'loss'].map((name) => [name, { dataType: 'float64' as const, dims: name === x ? [...dims, 3] : dims }]),
  );
  const graph = differentiate({ graph: b.graph(), types, output: 'loss', wrt: ['x'], opset: 13 });
  await using session = await Session.create(modelOf(graph, 13), { optimization: 'basic' });
  const results = await session.run({ x: toOrt(float64([1, 2, 3, 4, 5, 6], [1, 2, 3])) });
  assert.ok(results['grad/x']);
  assert.deepEqual(
    numbers(fromOrt(results['grad/x'])).map((value) => Math.round(value * 3)),
    [4, 4, 4, 10, 10, 10],
  );
});

describe('kinks', () => {
  const slopes = async (op: string, values: readonly number[], attributes = {}) => {
    const b = new GraphBuilder();
    const y = b.op(op, [b.input('x', [1, values.length])], attributes);
    b.output(y, undefined, 'unknown', 'loss');
    const point = new Map([['x', float32(values, [1, values.length])]]);
    return numbers((await gradientsAt(b.graph(), 'loss', ['x'], point)).get('x'));
  };

  test('Relu, Abs and Sqrt have slope 0 at 0', async () => {
    assert.deepEqual(await slopes('Relu', [-1, 0, 1]), [0, 0, 1]);
    assert.deepEqual(await slopes('Relu', [1e-30, 1e30, Number.POSITIVE_INFINITY]), [1, 1, 1]);
    assert.deepEqual(await slopes('Abs', [-1, 0, 1]), [-1, 0, 1]);
    assert.deepEqual(await slopes('Sqrt', [0, 1]), [0, 0.5]);
    assert.deepEqual(await slopes('ReduceL2', [0, 0]), [0, 0]);
  });

  test('elements that tie for a maximum share its gradient', async () => {
    assert.deepEqual(await slopes('ReduceMax', [2, 1, 2, 2, 2]), [0.25, 0, 0.25, 0.25, 0.25]);
    const b = new GraphBuilder();
    const x = b.input('x', [1, 1, 4]);
    b.output(b.op('MaxPool', [x], { kernel_shape: ints([2]), strides: ints([2]) }), undefined, 'unknown', 'loss');
    const found = await gradientsAt(b.graph(), 'loss', ['x'], new Map([['x', float32([0, 0, 1, 3], [1, 1, 4])]]));
    assert.deepEqual(numbers(found.get('x')), [0.5, 0.5, 0, 1]);
  });

  test('Clip passes the gradient at its bounds', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', [5]);
    b.output(b.op('Clip', [x, b.scalar(-1), b.scalar(1)]), undefined, 'unknown', 'loss');
    const found = await gradientsAt(b.graph(), 'loss', ['x'], new Map([['x', float32([-2, -1, 0, 1, 2])]]));
    assert.deepEqual(numbers(found.get('x')), [0, 1, 1, 1, 0]);
  });

  test('Clip as an activation behind weights has slope 0 at its bounds, one-sided or two-sided', async () => {
    const slopesOf = async (...bounds: readonly number[]) => {
      const b = new GraphBuilder();
      const y = b.op('Conv', [b.input('x', [1, 1, 6]), b.constant(float32([1], [1, 1, 1]))]);
      b.output(b.op('Clip', [y, ...bounds.map((bound) => b.scalar(bound))]), undefined, 'unknown', 'loss');
      const point = new Map([['x', float32([-1, 0, 1e-3, 6 - 1e-6, 6, 7], [1, 1, 6])]]);
      return numbers((await gradientsAt(b.graph(), 'loss', ['x'], point)).get('x'));
    };
    assert.deepEqual(await slopesOf(0, 6), [0, 0, 1, 1, 0, 0]);
    assert.deepEqual(await slopesOf(0), [0, 0, 1, 1, 1, 1]);
    assert.deepEqual(await slopesOf(-1, 0), [0, 0, 0, 0, 0, 0]);
  });
});

describe('errors', () => {
  const modulo = () => {
    const b = new GraphBuilder();
    const [x, y] = [b.input('x', ['batch', 2]), b.input('y', ['batch', 2])];
    b.add('Mod', [y, b.scalar(2)], { fmod: int(1) }, ['rest'], 'wrap');
    b.output(b.times(x, 'rest'), undefined, 'unknown', 'loss');
    return b.graph();
  };

  test('an operator without a rule is named, with its node and opset', async () => {
    await assert.rejects(differentiated(modulo(), { output: 'loss', wrt: ['y'] }), (error) => {
      assert.ok(error instanceof MissingRuleError && error instanceof OnnxError);
      assert.deepEqual([error.op, error.opset, error.node.name], ['Mod', 21, 'wrap']);
      assert.match(error.message, /^no gradient rule for Mod \(ai\.onnx, opset 21\): Mod node 'wrap' lies between/);
      return true;
    });
  });

  test('but not when no differentiated value reaches it', async () => {
    assert.ok(await differentiated(modulo(), { output: 'loss', wrt: ['x'] }));
  });

  test('operators of other domains have no rules', async () => {
    const graph = squares();
    const types = await dryRun(graph);
    const nodes = graph.nodes.map((node) => ({ ...node, domain: 'com.example' }));
    assert.throws(
      () => differentiate({ graph: { ...graph, nodes }, types, output: 'loss', wrt: ['x'] }),
      /no gradient rule for Identity \(com\.example/,
    );
  });

  test('unknown values, integer values, missing types, old opsets', async () => {
    const b = new GraphBuilder();
    b.input('index', ['batch'], 'int64');
    b.output(b.negate(b.input('x', ['batch'])), undefined, 'unknown', 'loss');
    const graph = b.graph();
    await assert.rejects(differentiated(graph, { output: 'los', wrt: ['x'] }), /output: the graph has no value 'los'/);
    await assert.rejects(differentiated(graph, { output: 'loss', wrt: ['X'] }), /wrt: the graph has no value 'X'/);
    await assert.rejects(differentiated(graph, { output: 'loss', wrt: ['index'] }), /wrt: 'index' is int64/);
    await assert.rejects(differentiated(graph, { output: 'loss', wrt: ['x'], opset: 11 }), /opset 11/);
    assert.throws(
      () => differentiate({ graph, types: new Map(), output: 'loss', wrt: ['x'] }),
      /the type of 'loss' is missing/,
    );
  });

  test('a form that a rule does not cover is explained', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 4]);
    const starts = b.op('Mul', [b.op('ArgMax', [b.reduceSum(x, [0], false)]), b.ints([0])]);
    b.output(b.op('Slice', [x, starts, b.ints([4]), b.ints([1]), b.ints([2])]), undefined, 'unknown', 'loss');
    await assert.rejects(
      differentiated(b.graph(), { output: 'loss', wrt: ['x'] }),
      /cannot differentiate Slice node '.*': its starts \(input 1\) must be constant/,
    );
  });
});
