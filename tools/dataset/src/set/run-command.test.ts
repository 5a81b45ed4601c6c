import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const run = (command: string, ...args: string[]) =>
  spawnSync(process.execPath, [fileURLToPath(new URL(`../${command}`, import.meta.url)), ...args], {
    encoding: 'utf8',
  });

describe('commands of the data set', () => {
  const wrong: readonly (readonly [string, readonly string[], RegExp])[] = [
    ['build/main.ts', ['--bogus', '1'], /^Unknown option '--bogus'/],
    ['build/main.ts', ['--pack', '/no/such', '--out', '/no/set'], /^no source pack at "\/no\/such".*--pack DIR$/m],
    ['import/main.ts', ['--from', '/no/such', '--out', '/no/set'], /^"\/no\/such" cannot be read/],
    ['pack/main.ts', ['--packages', '/no/such', '--out', '/no/pack'], /^"\/no\/such" is no folder.*--packages$/m],
    ['make-clips.ts', ['--pack', '/no/such'], /^Composes the labelled test clips/],
  ];
  for (const [command, args, message] of wrong) {
    it(`${command} ${args.join(' ')}: what is wrong, without a stack`, () => {
      const { status, stderr } = run(command, ...args);
      assert.equal(status, 2);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /^ {4}at /m);
    });
  }

  it('--help prints the usage', () => {
    const { status, stdout } = run('build/main.ts', '--help');
    assert.equal(status, 0);
    assert.match(stdout, /--pack/);
  });
});
