import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttackRequestError } from '@faultline/attack-algorithms';
import { attack, decodeTensor } from '@faultline/contracts';
import { attackRun } from './messages.ts';
import { rawResults } from './result-messages.ts';

test('results are cut in messages below 32 MiB, rows in order', () => {
  const size = 4 * 1024 * 1024;
  const clips = [2, 3, 5, 7];
  const data = new Float32Array(clips.length * size);
  for (const [row, clip] of clips.entries()) data[row * size] = clip;
  const messages = [
    ...rawResults({
      rung: 1,
      clips,
      margins: [-1, -2, -3, -4],
      adversarial: new Map([['waveform', { dims: [4, size], data }]]),
    }),
  ];
  assert.equal(messages.length, 4);
  for (const [row, message] of messages.entries()) {
    assert.ok(attack.AttackResponse.encode(message).finish().byteLength < 32 * 1024 * 1024);
    assert.ok(message.kind?.$case === 'result');
    const { rung, clips: sent, margins, adversarial } = message.kind.value;
    assert.deepEqual([rung, sent, margins], [1, [clips[row]], [-1 - row]]);
    const tensor = adversarial[0]?.tensor;
    assert.ok(tensor);
    assert.deepEqual(tensor.dims, [1, size]);
    assert.equal(decodeTensor(tensor).data[0], clips[row]);
  }
});

test('a message that cannot be read names the field', async () => {
  const request = attack.AttackRequest.fromPartial({
    threatModel: {},
    inputs: [{ name: 'waveform', tensor: { dataType: 1, dims: [2], value: { $case: 'raw', value: Buffer.alloc(4) } } }],
  });
  await assert.rejects(attackRun(request, undefined), (error) => {
    assert.ok(error instanceof AttackRequestError);
    assert.deepEqual(error.violations, [
      { field: 'inputs[0].tensor', description: 'tensor [2] needs 8 bytes but holds 4' },
    ]);
    return true;
  });
});
