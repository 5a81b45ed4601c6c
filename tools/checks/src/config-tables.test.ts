import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withConfigTable } from './config-tables.ts';

const BEGIN = '<!-- configuration: made by npm run format -->';
const END = '<!-- end of configuration -->';

test('the table takes the place of the one before it, with padded columns', () => {
  const readme = `# x\n\n${BEGIN}\n\n| old |\n\n${END}\n\nafter\n`;
  const renewed = withConfigTable(readme, ['| `A` | `1` | Short. |', '| `LONGER` | required | Longer than that. |']);
  assert.equal(
    renewed,
    [
      '# x',
      '',
      BEGIN,
      '',
      '| variable | default  | meaning           |',
      '| -------- | -------- | ----------------- |',
      '| `A`      | `1`      | Short.            |',
      '| `LONGER` | required | Longer than that. |',
      '',
      END,
      '',
      'after',
      '',
    ].join('\n'),
  );
  assert.equal(
    withConfigTable(renewed, ['| `A` | `1` | Short. |', '| `LONGER` | required | Longer than that. |']),
    renewed,
  );
});

test('a README without a place for the table is an error', () => {
  assert.throws(() => withConfigTable('# x\n', []), /once each/);
  assert.throws(() => withConfigTable(`${BEGIN}\n${END}\n${BEGIN}\n${END}`, []), /once each/);
});
