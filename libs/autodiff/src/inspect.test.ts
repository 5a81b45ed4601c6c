import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { float32, GraphBuilder, int, type Node, type Tensor } from '@faultline/onnx';
import { dryRun } from '@faultline/ort';
import { inspect } from './inspect.ts';

const treatments = (found: ReturnType<typeof inspect>) =>
  Object.fromEntries(found.nodes.map(({ node, treatment }) => [node.op, treatment]));

describe('inspect', () => {
  test('a graph of rules is a white box; what the variables do not act on needs none', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 3]);
    const fixed = b.op('Mod', [b.scalar(3), b.scalar(2)], { fmod: int(1) });
    b.output(b.times(b.op('Tanh', [x]), fixed));
    for (const types of [undefined, await dryRun(b.graph())]) {
      const found = inspect({ graph: b.graph(), ...(types && { types }) });
      assert.deepEqual(treatments(found), { Mod: 'no gradient flows', Tanh: 'rule', Mul: 'rule' });
      assert.equal(found.verdict, 'white-box');
    }
  });

  test('a missing rule closes the box for the variables behind it alone', async () => {
    const b = new GraphBuilder();
    const [x, y] = [b.input('x', ['batch', 3]), b.input('y', ['batch', 3])];
    b.output(b.times(x, b.op('Exp', [b.op('Mod', [y, b.scalar(2)], { fmod: int(1) })])));
    const found = inspect({ graph: b.graph(), types: await dryRun(b.graph()) });
    assert.deepEqual(treatments(found), { Mod: 'missing', Exp: 'rule', Mul: 'rule' });
    assert.equal(found.verdict, 'black-box only');
    assert.deepEqual(
      found.variables.map(({ verdict }) => verdict),
      ['white-box', 'black-box only'],
    );
    assert.deepEqual(found.operators[0], {
      op: 'Mod',
      domain: '',
      treatment: 'missing',
      count: 1,
      reason: 'the operator has no rule',
    });
  });

  test('a form that a rule does not cover is missing, with its reason', async () => {
    const b = new GraphBuilder();
    const x = b.input('x', ['batch', 3]);
    const mean = b.fresh('mean');
    b.add('LayerNormalization', [b.slice(x, [0], [2], [1]), b.constant(float32([1, 1]))], {}, [b.fresh('y'), mean]);
    b.output(mean);
    const found = inspect({ graph: b.graph(), types: await dryRun(b.graph()) });
    assert.equal(treatments(found).LayerNormalization, 'missing');
    assert.match(found.operators[0]?.reason ?? '', /mean and deviation outputs have no rule/);
    // What lies behind it is looked at all the same.
    assert.equal(treatments(found).Slice, 'rule');
  });

  test('an input without a rule is missing where it matters, and there alone', async () => {
    const zero: Tensor = { dataType: 'uint8', dims: [], data: Uint8Array.of(128) };
    const b = new GraphBuilder();
    const [x, scale] = [b.input('x', ['batch', 2]), b.input('scale', [])];
    const q = b.op('QuantizeLinear', [x, scale, b.constant(zero)]);
    b.output(b.op('DequantizeLinear', [q, b.scalar(0.1), b.constant(zero)]));
    const found = inspect({ graph: b.graph(), types: await dryRun(b.graph()) });
    assert.deepEqual(
      found.variables.map(({ verdict }) => verdict),
      ['white-box with estimation', 'black-box only'],
    );
    assert.match(found.variables[1]?.reason ?? '', /its input 1, 'scale', has no rule/);
  });

  test('quantisation is an estimate', async () => {
    const zero: Tensor = { dataType: 'uint8', dims: [], data: Uint8Array.of(128) };
    const b = new GraphBuilder();
    const [scale, point] = [b.scalar(0.1), b.constant(zero)];
    const q = b.op('QuantizeLinear', [b.input('x', ['batch', 2]), scale, point]);
    b.output(b.op('DequantizeLinear', [q, scale, point]));
    const found = inspect({ graph: b.graph(), types: await dryRun(b.graph()) });
    assert.deepEqual(treatments(found), { QuantizeLinear: 'straight-through', DequantizeLinear: 'rule' });
    assert.equal(found.verdict, 'white-box with estimation');
  });

  test('steps let nothing pass; operators of other domains are unknown', async () => {
    const b = new GraphBuilder();
    b.output(b.op('Sign', [b.input('x', ['batch', 2])]));
    const found = inspect({ graph: b.graph(), types: await dryRun(b.graph()) });
    assert.deepEqual(found.variables, [{ name: 'x', verdict: 'black-box only', reason: 'no gradient reaches it' }]);

    const custom: Node = {
      name: '',
      op: 'Magic',
      domain: 'com.example',
      inputs: ['x'],
      outputs: ['y'],
      attributes: {},
    };
    const c = new GraphBuilder();
    c.input('x', ['batch']);
    c.append([custom]);
    c.output('y');
    const unknown = inspect({ graph: c.graph() });
    assert.match(unknown.variables[0]?.reason ?? '', /com\.example\.Magic: operators of com\.example have no rules/);
    assert.throws(() => inspect({ graph: c.graph(), output: 'z' }), /no value 'z'/);
  });
});
