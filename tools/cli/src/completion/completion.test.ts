import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { program } from '../program.ts';
import { WORKSPACE } from '../workspace.ts';
import { bashCompletion } from './bash-completion.ts';
import { commandTree, flatten } from './command-tree.ts';
import { fishCompletion } from './fish-completion.ts';
import { zshCompletion } from './zsh-completion.ts';

const tree = commandTree(program());

/** What bash offers for the last of these words. */
function offered(...words: string[]): string[] {
  const script = `${bashCompletion(tree)}
COMP_WORDS=("$@")
COMP_CWORD=$(($# - 1))
_faultline
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['-c', script, 'bash', ...words], { encoding: 'utf8', cwd: WORKSPACE });
  assert.equal(stderr, '');
  return stdout.trim().split('\n');
}

test('bash offers commands, those of a group, and options', () => {
  assert.deepEqual(
    offered('faultline', ''),
    tree.commands.map(({ path }) => path[0]),
  );
  assert.deepEqual(offered('faultline', 'campaign', 'ca'), ['cancel']);
  assert.deepEqual(offered('faultline', 'up', '--js'), ['--json']);
});

test('bash offers what a place takes, past options and their values', () => {
  assert.deepEqual(offered('faultline', 'completion', ''), ['bash', 'zsh', 'fish']);
  assert.deepEqual(offered('faultline', 'campaign', 'run', '--victims', 'zo'), ['zoo']);
  assert.deepEqual(offered('faultline', 'campaign', 'list', '--limit', '3', '--js'), ['--json']);
  // Nothing of ours: bash completes names of files then.
  assert.deepEqual(offered('faultline', 'campaign', 'run', 'camp'), ['']);
});

for (const [shell, script] of [
  ['bash', bashCompletion(tree)],
  ['zsh', zshCompletion(tree)],
  ['fish', fishCompletion(tree)],
] as const) {
  test(`${shell} knows every command and option`, () => {
    for (const { path, options } of flatten(tree)) {
      assert.ok(script.includes(path.at(-1) ?? 'faultline'), path.join(' '));
      for (const { flag } of path.length === 0 ? [] : options) {
        assert.ok(
          script.includes(shell === 'fish' ? `--long-option ${flag.slice(2)}` : flag),
          `${path.join(' ')} ${flag}`,
        );
      }
    }
  });
}

test('no quote of a description ends a word of the script', () => {
  const odd = { ...tree, commands: [], options: [{ flag: '--odd', description: "it's [a]: $(b)", value: undefined }] };
  assert.match(zshCompletion(odd), /'--odd\[it'\\''s \\\[a\\\]\\: \$\(b\)\]'/);
  const leaf = { ...odd, path: ['leaf'] };
  assert.match(fishCompletion({ ...tree, commands: [leaf] }), /--description 'it\\'s \[a\]: \$\(b\)'/);
});
