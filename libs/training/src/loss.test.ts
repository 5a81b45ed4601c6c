import assert from 'node:assert/strict';
import { test } from 'node:test';
import { float32, GraphBuilder } from '@faultline/onnx';
import { float32Data, Session, toOrt } from '@faultline/ort';
import { binaryCrossEntropy } from './loss.ts';

async function lossOf(logits: readonly number[], targets: readonly number[]): Promise<number> {
  const g = new GraphBuilder();
  const dims = [1, logits.length];
  g.output(binaryCrossEntropy(g, g.input('logits', dims), g.input('targets', dims)), [], 'float32', 'loss');
  await using session = await Session.create(g.model());
  const { loss } = await session.run({ logits: toOrt(float32(logits, dims)), targets: toOrt(float32(targets, dims)) });
  assert.ok(loss);
  return float32Data(loss)[0] ?? Number.NaN;
}

test('binary cross-entropy is the mean of -log p of what is so', async () => {
  const logits = [0.7, -1.3, 2, -3];
  const targets = [1, 1, 0, 0];
  const wanted = logits.map((z, index) => Math.log1p(Math.exp(targets[index] === 1 ? -z : z)));
  const mean = wanted.reduce((sum, value) => sum + value, 0) / wanted.length;
  assert.ok(Math.abs((await lossOf(logits, targets)) - mean) < 1e-6);
});

test('extreme logits stay finite and exact', async () => {
  assert.equal(await lossOf([500, -500], [0, 1]), 500);
  assert.equal(await lossOf([500, -500], [1, 0]), 0);
});
