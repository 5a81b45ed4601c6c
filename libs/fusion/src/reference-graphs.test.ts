import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { decodeModel, type Graph, type Tensor } from '@faultline/onnx';
import { buildVictim } from './build-victim.ts';
import { VICTIM_NAMES, VICTIM_SPECS, type VictimName } from './victim-specs.ts';

const ZOO = join(import.meta.dirname, '../../../zoo/victims');

/** Digests of the graphs that the shipped victims were trained with: nodes, inputs, outputs, not the fixed bases' elements. */
const TRAINED_WITH: Readonly<Record<VictimName, string>> = {
  early: 'f2517bbddef996ae9b6af703a3851fb3cbe400c8cf22fc72881ca376be21512a',
  mid: '88b5762a36e35999c5af7584704d6ead4aa28436aae4bf51fb62acdd12ed68e5',
  late: '0b172b912a65411b54efdd9548f2883d93386460586769e4d4b9b72f3eb3a076',
};

const structure = ({ nodes, inputs, outputs }: Graph) => ({ nodes, inputs, outputs });

for (const name of VICTIM_NAMES) {
  test(`the ${name} victim is the one that the zoo's was trained and exported with`, async () => {
    const training = buildVictim(VICTIM_SPECS[name]);
    const digest = createHash('sha256').update(JSON.stringify([structure(training.graph), training.parameters]));
    assert.equal(digest.digest('hex'), TRAINED_WITH[name]);

    const { graph: shipped } = decodeModel(await readFile(join(ZOO, name, 'model.onnx')));
    const zeros = ({ name: key, shape }: { readonly name: string; readonly shape: readonly number[] }) =>
      [key, { dataType: 'float32', dims: shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }] as const;
    const weights = new Map<string, Tensor>([
      ...training.parameters.map(zeros),
      ...training.statistics.flatMap(({ mean, variance, channels }) =>
        [mean, variance].map((key) => zeros({ name: key, shape: [channels] })),
      ),
    ]);
    const exported = buildVictim(VICTIM_SPECS[name], { kind: 'export', weights }).graph;
    assert.deepEqual(structure(exported), structure(shipped));
    assert.deepEqual(
      Array.from(exported.initializers, ([key, { dims }]) => [key, dims]),
      Array.from(shipped.initializers, ([key, { dims }]) => [key, dims]),
    );
  });
}
