import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import type { DenseTensor } from '@faultline/contracts';
import { LocalVictim } from '@faultline/victim-local';
import { linearVictim } from '@faultline/victim-local/testing';
import { OipModel, type OipOptions } from './oip-model.ts';
import { type OipServerOptions, startOipServer } from './oip-server.ts';
import { OipLabelVictim, OipVictim } from './oip-victim.ts';

const SAMPLES = 5;
const LABELS = 2;
const ROWS = 7;
const ramp = (length: number, scale: number) => Float32Array.from({ length }, (_, i) => scale * Math.sin(i + 1));
const { model, card } = linearVictim({
  waveform: ramp(SAMPLES * LABELS, 1),
  frames: ramp(12 * LABELS, 0.1),
  bias: Float32Array.of(0.1, -0.1),
  frameDims: [1, 2, 2],
});
const local = await LocalVictim.load({ model, card });
after(() => local[Symbol.asyncDispose]());

const inputs = new Map<string, DenseTensor>([
  ['waveform', { dims: [ROWS, SAMPLES], data: ramp(ROWS * SAMPLES, 0.9) }],
  ['frames', { dims: [ROWS, 1, 3, 2, 2], data: Uint8Array.from({ length: ROWS * 12 }, (_, i) => 3 * i) }],
]);
const { logits: expected } = await local.predict(inputs);

async function serve(server: Partial<OipServerOptions> = {}, client: Partial<OipOptions> = {}) {
  const running = await startOipServer({ card, predictor: local, ...server });
  const remote = new OipModel({ address: running.address, model: card.name, card, ...client });
  return {
    server: running,
    model: remote,
    async [Symbol.asyncDispose]() {
      await remote[Symbol.asyncDispose]();
      await running[Symbol.asyncDispose]();
    },
  };
}

for (const encoding of ['raw', 'listed'] as const) {
  test(`logits arrive as they are: ${encoding}`, async () => {
    await using served = await serve({ encoding }, { maxBatch: 3 });
    const { logits, cost, modelSha256 } = await new OipVictim(served.model).predict(inputs);
    assert.deepEqual(logits.dims, [ROWS, LABELS]);
    for (const [i, value] of logits.data.entries()) assert.ok(Math.abs(value - (expected.data[i] ?? 0)) < 1e-6);
    assert.deepEqual(cost, { forwardExamples: ROWS, gradientExamples: 0 });
    assert.equal(modelSha256, card.sha256);
    assert.deepEqual([served.model.queries, served.server.rows, served.server.largestBatch], [ROWS, ROWS, 3]);
  });

  test(`labels alone: ${encoding}`, async () => {
    await using served = await serve({ answers: 'labels', encoding });
    const decisions = await new OipLabelVictim(served.model).decide(inputs);
    assert.deepEqual(decisions.active.dims, [ROWS, LABELS]);
    assert.deepEqual(
      [...decisions.active.data],
      Array.from(expected.data, (z) => (z > 0 ? 1 : 0)),
    );
    assert.ok(new Set(decisions.active.data).size === 2, 'some labels are active, some are not');
  });
}

test('probabilities are turned back into logits', async () => {
  await using served = await serve({ answers: 'probabilities' });
  const { logits } = await new OipVictim(served.model, 'probabilities').predict(inputs);
  for (const [i, value] of logits.data.entries()) assert.ok(Math.abs(value - (expected.data[i] ?? 0)) < 1e-4);
});

test('the query budget is enforced before anything is sent', async () => {
  await using served = await serve({}, { queryBudget: 10, maxBatch: 4 });
  const victim = new OipVictim(served.model);
  await victim.predict(inputs);
  await assert.rejects(victim.predict(inputs), {
    code: 'failed_precondition',
    message: /query budget is spent: 7 of 10 queries were sent, and 4 more were to follow; raise the budget/,
  });
  assert.deepEqual([served.model.queries, served.server.rows], [ROWS, ROWS]);
});

test('a card that does not fit the server is refused by name', async () => {
  await using served = await serve();
  const { address } = served.server;
  const asked = async (options: Partial<OipOptions>) => {
    await using other = new OipModel({ address, model: card.name, card, ...options });
    await other.check();
  };
  await asked({});
  await assert.rejects(asked({ model: 'other' }), {
    code: 'not_found',
    message: /model 'other' at .*no model 'other'/,
  });
  await assert.rejects(asked({ card: { ...card, logits: 'scores' } }), /has no output 'scores' \(it has logits\)/);
  await assert.rejects(asked({ card: { ...card, inputs: card.inputs.slice(1) } }), /where the card names frames/);
  const longer = card.inputs.map((input) =>
    input.name === 'waveform'
      ? { ...input, kind: { $case: 'waveform' as const, value: { sampleRateHz: 8000, samples: 6 } } }
      : input,
  );
  await assert.rejects(
    asked({ card: { ...card, inputs: longer } }),
    /'waveform' is \[-1, 5\], where the card says \[batch, 6\]/,
  );
  await using few = new OipModel({ address, model: card.name, card: { ...card, labels: card.labels.slice(1) } });
  await assert.rejects(new OipVictim(few).predict(inputs), /answered \[7, 2\], where the card has 1 labels/);
});
