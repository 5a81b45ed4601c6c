import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { differentiate } from '@faultline/autodiff';
import { encodeModel, modelOf } from '@faultline/onnx';
import { dryRun, Session } from '@faultline/ort';
import { ARCHITECTURE_NAMES, ARCHITECTURES } from '../architectures.ts';
import { buildVictim } from '../build-victim.ts';
import type { FeatureSpec } from '../designs.ts';
import { measureArchitectures } from '../testing/measure-architectures.ts';
import { pointOf, runAt } from '../testing/points.ts';
import { architectureTable, tableIn } from './architecture-table.ts';

// The study's size takes minutes and gigabytes.

test('every architecture runs at the study size, and the README tells what it costs', async () => {
  const readme = await readFile(join(import.meta.dirname, '../../README.md'), 'utf8');
  assert.equal(tableIn(readme), architectureTable(await measureArchitectures()));
});

for (const name of ARCHITECTURE_NAMES.filter((each) => !each.endsWith('-matched'))) {
  test(`${name} is exported, loads and has gradients at the study size`, async () => {
    const spec: FeatureSpec = ARCHITECTURES[name].study;
    const weights = pointOf(buildVictim(spec, { kind: 'evaluation' }), 1);
    const { graph, inputs } = buildVictim(spec, { kind: 'export', weights });
    const media = new Map([...weights].filter(([each]) => inputs.some((input) => input.name === each)));
    {
      await using exported = await Session.create(encodeModel(modelOf(graph)));
      const logits = (await runAt(exported, media, ['logits'])).get('logits') ?? new Float32Array();
      assert.equal(logits.length, spec.labels);
      assert.ok(logits.every(Number.isFinite));
    }
    const wrt = inputs.map((input) => input.name);
    const gradient = differentiate({ graph, types: await dryRun(graph), output: 'logits', wrt });
    await using attacked = await Session.create(modelOf(gradient));
    const outputs = wrt.map((each) => `grad/${each}`);
    for (const [each, values] of await runAt(attacked, media, outputs)) {
      assert.ok(values.every(Number.isFinite) && values.some((value) => value !== 0), each);
    }
  });
}
