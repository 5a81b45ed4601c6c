import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attack } from '@faultline/contracts';
import { askedShifts, HELD_OUT_ONSETS, heldOutShifts, shiftSound } from './held-out-shifts.ts';

const ASKED = { share: 0.05, fill: 'circular' } as const;

test('onsets lie on both sides within the largest shift, and are those of their clip', () => {
  const shifts = heldOutShifts('ab'.repeat(32), ASKED, 16_000);
  assert.equal(shifts.length, HELD_OUT_ONSETS);
  assert.ok(shifts.every((shift) => Number.isInteger(shift) && Math.abs(shift) <= 800));
  assert.ok(Math.min(...shifts) < 0 && Math.max(...shifts) > 0);
  assert.deepEqual(heldOutShifts('ab'.repeat(32), ASKED, 16_000), shifts);
  assert.notDeepEqual(heldOutShifts('cd'.repeat(32), ASKED, 16_000), shifts);
});

test('a shifted sound begins later in it; what is left is filled', () => {
  const sound = Float32Array.of(1, 2, 3, 4);
  assert.deepEqual([...shiftSound(sound, 1, 'circular')], [2, 3, 4, 1]);
  assert.deepEqual([...shiftSound(sound, -1, 'silence')], [0, 1, 2, 3]);
});

test('shifts are asked for by the parameters of a threat model', () => {
  const asking = (...parameters: [string, attack.AttackParameter['value']][]) =>
    askedShifts(attack.ThreatModel.fromPartial({ parameters: parameters.map(([name, value]) => ({ name, value })) }));
  assert.equal(asking(), undefined);
  assert.equal(asking(['shift_share', { $case: 'number', value: 0 }]), undefined);
  assert.deepEqual(asking(['shift_share', { $case: 'number', value: 0.1 }]), { share: 0.1, fill: 'circular' });
  assert.deepEqual(
    asking(['shift_share', { $case: 'number', value: 0.1 }], ['shift_fill', { $case: 'choice', value: 'silence' }]),
    { share: 0.1, fill: 'silence' },
  );
});
