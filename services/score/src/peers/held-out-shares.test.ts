import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { heldOutShifts, shiftSound } from '@faultline/attack-algorithms';
import { attack } from '@faultline/contracts';
import type { RunningServer } from '@faultline/service-kit';
import { threatModel } from '../test-support/linear-campaign.ts';
import { serveInference } from '../test-support/linear-services.ts';
import { LABELS, linearLogits, linearVictim, PIXELS, SAMPLES } from '../test-support/linear-victim.ts';
import type { AttackedClip } from './attack-batch.ts';
import { heldOutShares } from './held-out-shares.ts';
import { Services } from './services.ts';

const model = linearVictim('strong', { waveform: 2, frames: 2 });
const { signal } = new AbortController();
let server: RunningServer;
let services: Services;

before(async () => {
  server = await serveInference(model);
  services = new Services({ victims: { strong: server.address }, features: server.address, attack: server.address });
});

after(async () => {
  services[Symbol.dispose]();
  await server.close({ drainTimeoutMs: 0 });
});

const frames = new Float32Array(PIXELS);
/** Off as it is: nothing at the label's own positions; on at other onsets, where what stands beside them is heard there. */
const waveform = Float32Array.from({ length: SAMPLES }, (_, at) => (at % LABELS.length === 0 ? 0 : 0.4));
const clip: AttackedClip = { index: 0, sha256: '5a'.repeat(32), labels: ['dog'], inputs: new Map() };
const point = new Map([
  ['waveform', { dims: [SAMPLES], data: waveform }],
  ['frames', { dims: [2, 3, 2, 2], data: frames }],
]);

const asking = (share: number, fill: string) =>
  threatModel({
    parameters: [
      attack.AttackParameter.fromPartial({ name: 'shift_share', value: { $case: 'number', value: share } }),
      attack.AttackParameter.fromPartial({ name: 'shift_fill', value: { $case: 'choice', value: fill } }),
    ],
  });

for (const fill of ['circular', 'silence'] as const) {
  test(`the share of held-out onsets at which a success holds is what fresh predictions say: ${fill}`, async () => {
    const victim = await services.describe('strong');
    const { shares, cost } = await heldOutShares(services, victim, asking(0.1, fill), [{ clip, point }], signal);
    const shifts = heldOutShifts(clip.sha256, { share: 0.1, fill }, SAMPLES);
    const off = shifts.filter((shift) => {
      const [dog = Number.NaN] = linearLogits(model, shiftSound(waveform, shift, fill), frames);
      return dog - (model.card.labels[0]?.threshold ?? 0) <= -victim.tau;
    });
    assert.ok(off.length > 0 && off.length < shifts.length, 'some onsets of each kind');
    assert.deepEqual(shares, [off.length / shifts.length]);
    assert.equal(cost.forwardExamples, shifts.length);
  });
}

test('attacks that are asked for no shifts are not tried on any', async () => {
  const victim = await services.describe('strong');
  const { shares, cost } = await heldOutShares(services, victim, threatModel(), [{ clip, point }], signal);
  assert.deepEqual([shares, cost.forwardExamples], [undefined, 0]);
});
