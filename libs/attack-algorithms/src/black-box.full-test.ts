import { after, test } from 'node:test';
import { assertNearOptimum } from './testing/black-box-optimum.ts';
import { LinearVictim } from './testing/linear-victim.ts';

// The forms of the black-box attacks that take their time on linear victims.

const linear = await LinearVictim.create(1);
after(() => linear[Symbol.asyncDispose]());

for (const [attack, norm] of [
  ['nes', 'l2'],
  ['spsa', 'linf'],
] as const) {
  test(`${attack} comes within 15 % of the optimum in ${norm}: 1,520 coordinates, 20,000 queries`, async () => {
    await assertNearOptimum(linear, { attack, norm, queries: 20_000, parameters: { pairs: 25, momentum: 0.998 } });
  });
}
