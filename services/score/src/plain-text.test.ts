import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refuseControlCharacters } from './plain-text.ts';

test('a control character is refused by the name of its field, at any depth; other text is not', () => {
  refuseControlCharacters({ name: 'naïve ✓', models: [{ name: 'linf' }], raw: Buffer.from([0]) }, 'specification');
  assert.throws(() => refuseControlCharacters({ models: [{}, { name: 'a\u0000b' }] }, 'specification'), {
    message: /specification\.models\[1\]\.name/,
  });
});
