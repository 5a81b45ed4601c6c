import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readArguments } from './arguments.ts';

test('a command with its pack and spec is complete', () => {
  const options = readArguments(['--spec', 'mid', '--pack', 'pack', '--seed', '3']);
  assert.equal(options.name, 'mid');
  assert.equal(options.seed, 3);
  assert.equal(options.out, 'zoo/victims/mid');
});

test('what is wrong is named with its value and the remedy', () => {
  assert.throws(() => readArguments(['--spec', 'middle', '--pack', 'p']), /--spec is 'middle'; give early, mid, late/);
  assert.throws(() => readArguments(['--spec', 'mid']), /--pack is missing/);
  assert.throws(() => readArguments(['--spec', 'mid', '--pack', 'p', '--threads', '0']), /--threads is '0'/);
  assert.throws(() => readArguments(['--spec', 'mid', '--pack', 'p', '--sed', '1']), /--sed/);
});
