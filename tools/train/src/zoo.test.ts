import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { LABELS } from '@faultline/dataset';
import { countMacs } from '@faultline/fusion';
import { decodeModel, float32 } from '@faultline/onnx';
import { dryRun, float32Data, Session, toOrt } from '@faultline/ort';
import { exampleDims, parseCard } from '@faultline/victim';

const ZOO = join(import.meta.dirname, '../../../zoo/victims');
const MAC_LIMIT = 45e6;
const MODEL_BYTES_LIMIT = 2e6;

const entries = await readdir(ZOO, { withFileTypes: true });
for (const name of entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name)) {
  test(`the card of ${name} tells the truth about its model`, async () => {
    const card = parseCard(await readFile(join(ZOO, name, 'card.json'), 'utf8'));
    const bytes = await readFile(join(ZOO, name, card.model));
    assert.equal(card.name, name);
    assert.equal(card.sha256, createHash('sha256').update(bytes).digest('hex'));
    assert.ok(bytes.byteLength < MODEL_BYTES_LIMIT);
    assert.deepEqual(
      card.labels.map(({ label }) => label),
      LABELS,
    );
    const { graph } = decodeModel(bytes);
    assert.deepEqual(
      graph.inputs.map((input) => [input.name, input.dims]),
      card.inputs.map((input) => [input.name, ['batch', ...exampleDims(input)]]),
    );
    const types = await dryRun(graph);
    assert.equal(card.macs, countMacs(graph, types));
    assert.ok(card.macs <= MAC_LIMIT);
    for (const { value } of card.taps) assert.ok(types.has(value), value);
    const splits = card.metrics.map(({ split }) => split);
    for (const split of ['validation', 'test-unseen', 'test-seen', 'clips-unseen', 'clips-seen'])
      assert.ok(splits.includes(split), split);

    await using session = await Session.create(bytes);
    const feeds = Object.fromEntries(
      card.inputs.map((input) => {
        const dims = [1, ...exampleDims(input)];
        const count = dims.reduce((product, size) => product * size, 1);
        return [input.name, toOrt(float32(new Float32Array(count), dims))] as const;
      }),
    );
    const { [card.logits]: logits } = await session.run(feeds);
    assert.ok(logits);
    const values = [...float32Data(logits)];
    assert.equal(values.length, LABELS.length);
    assert.ok(values.every((value) => Number.isFinite(value)));
  });
}
