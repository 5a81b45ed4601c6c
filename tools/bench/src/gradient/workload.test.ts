import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Graph, modelOf, type Node } from '@faultline/onnx';
import { Session, toOrt } from '@faultline/ort';
import { mobilenetV2 } from './networks/mobilenet-v2.ts';
import { compare, inputsOf, WORKLOADS, type Workload } from './workload.ts';

const SMALL: Workload = { name: 'mobilenet-v2', batch: 2, model: async () => modelOf(mobilenetV2(32)) };
const TESTED = [...WORKLOADS.filter(({ name }) => name.startsWith('victim-')), SMALL];

const PRODUCTS: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);
const products = ({ nodes }: Graph) => nodes.filter(({ op }) => PRODUCTS.has(op)).length;
const described = ({ op, inputs, attributes }: Node) => JSON.stringify([op, inputs, attributes]);

/** Parts beyond the first of rows that products are made of: each part may have a product of its own. */
function furtherParts({ nodes }: Graph): number {
  const makers = new Map(nodes.flatMap((node) => node.outputs.map((name) => [name, node] as const)));
  const parts = ({ inputs: [rows = ''] }: Node): number => {
    const maker = makers.get(rows);
    if (maker?.op === 'Reshape') return parts(maker);
    return maker?.op === 'Concat' ? maker.inputs.length - 1 : 0;
  };
  return nodes.filter(({ op }) => op === 'MatMul').reduce((sum, node) => sum + parts(node), 0);
}

describe('gradient graphs', () => {
  for (const workload of TESTED) {
    test(`${workload.name}: no weight gradients, nothing computed twice, no constant left to rearrange`, async () => {
      const { forward, gradient } = await compare(workload);
      const { graph } = gradient;
      // Convolutions by phases are four in place of one.
      const phases = graph.nodes.filter(({ op }) => op === 'DepthToSpace').length;
      const pools = graph.nodes.filter(({ op }) => op.endsWith('Pool')).length;
      const limit = 2 * (products(forward.graph) + furtherParts(forward.graph)) + 3 * phases + pools;
      assert.ok(products(graph) <= limit, `${products(graph)} products, at most ${limit} expected`);

      const twice = graph.nodes.map(described).filter((text, i, all) => all.indexOf(text) !== i);
      assert.deepEqual(twice, []);

      const isConstant = (name: string) => name === '' || graph.initializers.has(name);
      const constant = graph.nodes.filter(({ inputs }) => inputs.length > 0 && inputs.every(isConstant));
      const outputs = new Set(graph.outputs.map(({ name }) => name));
      assert.deepEqual(
        constant.filter((node) => !node.outputs.some((name) => outputs.has(name))),
        [],
      );
      assert.equal(graph.nodes.filter(({ op }) => op === 'BatchNormalization').length, 0);
    });
  }

  test('the gradient graph makes the outputs of the plain one, and gradients in the shape of its inputs', async () => {
    const { forward, gradient } = await compare(SMALL);
    const inputs = inputsOf(forward, SMALL.batch);
    const feeds = Object.fromEntries([...inputs].map(([name, value]) => [name, toOrt(value)]));
    await using plain = await Session.create(forward);
    await using differentiated = await Session.create(gradient);
    const [expected, found] = [await plain.run(feeds), await differentiated.run(feeds)];
    const [logits, same] = [expected.logits?.data as Float32Array, found.logits?.data as Float32Array];
    const largest = Math.max(...logits.map(Math.abs));
    for (const [i, value] of logits.entries()) assert.ok(Math.abs(value - (same[i] ?? Number.NaN)) < 1e-3 * largest);
    assert.deepEqual(found['grad/pixels']?.dims, inputs.get('pixels')?.dims);
    const gradients = found['grad/pixels']?.data as Float32Array;
    assert.ok(gradients.every(Number.isFinite) && gradients.some((value) => value !== 0));
  });
});
