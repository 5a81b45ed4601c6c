import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Admission, type Usage } from './admission.ts';

const MIB = 2 ** 20;

test('slots are counted, refused when all are taken, and given back once', () => {
  const seen: Usage[] = [];
  const admission = new Admission({ slots: 1, bytes: MIB }, (usage) => seen.push(usage));
  const slot = admission.takeSlot();
  assert.throws(() => admission.takeSlot(), { code: 'resource_exhausted', message: /all 1 optimise slots are taken/ });
  slot[Symbol.dispose]();
  slot[Symbol.dispose]();
  assert.deepEqual(
    seen.map(({ slots }) => slots),
    [1, 0],
  );
});

test('loops share working memory, for one computes at a time; resident memory adds up', () => {
  const admission = new Admission({ slots: 9, bytes: 10 * MIB });
  const first = admission.takeBytes({ residentBytes: 2 * MIB, workingBytes: 4 * MIB });
  admission.takeBytes({ residentBytes: 3 * MIB, workingBytes: 3 * MIB });
  assert.equal(admission.usage.bytes, 9 * MIB);
  assert.throws(() => admission.takeBytes({ residentBytes: 2 * MIB, workingBytes: 0 }), {
    code: 'resource_exhausted',
    message: /needs 2 MiB of loop memory, and other loops leave 1 MiB of 10 MiB/,
  });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  assert.equal(admission.usage.bytes, 6 * MIB);
});

test('what would not fit an idle service is no question of time', () => {
  const admission = new Admission({ slots: 1, bytes: 10 * MIB });
  assert.throws(() => admission.takeBytes({ residentBytes: 6 * MIB, workingBytes: 5 * MIB }), {
    code: 'failed_precondition',
    message: /needs 11 MiB but this service grants loops 10 MiB in all; .*FAULTLINE_LOOP_BYTES/,
  });
  const grant = admission.takeBytes({ residentBytes: MIB, workingBytes: MIB });
  assert.throws(() => grant.growTo({ residentBytes: 10 * MIB, workingBytes: 0 }), { code: 'failed_precondition' });
  grant.growTo({ residentBytes: 8 * MIB, workingBytes: 0 });
  assert.equal(admission.usage.bytes, 9 * MIB);
});
