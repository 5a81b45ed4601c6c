import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Command } from 'commander';
import type { CommandDefinition } from './commands/command-definition.ts';
import { COMMANDS } from './commands/command-table.ts';
import { EXIT_CODES } from './exit-code.ts';
import { program } from './program.ts';
import { WORKSPACE } from './workspace.ts';

function faultline(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('FAULTLINE_'));
  return spawnSync(process.execPath, [join(WORKSPACE, 'tools/cli/bin/faultline.js'), ...args], {
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), ...env },
  });
}

/** Every command with the words that call it. */
const commands = COMMANDS.flatMap((entry): { path: string[]; definition: CommandDefinition }[] =>
  'commands' in entry
    ? entry.commands.map((definition) => ({ path: [entry.name, definition.name], definition }))
    : [{ path: [entry.name], definition: entry }],
);

/** The calls of faultline in a line of shell, by their arguments, nested ones too; run by bash with stand-ins that only record. */
function callsIn(line: string): string[][] {
  const script = `
    faultline() { { printf '%s\\0' "$@"; printf '\\n\\0'; } >&3; }
    jq() { cat > /dev/null; echo 20260101-000000-000-abcd; }
    eval "$1"`;
  const { output, stderr, status } = spawnSync(
    'bash',
    ['-c', script, 'bash', line.replaceAll(/~\/\S+/g, '/dev/null')],
    {
      encoding: 'utf8',
      cwd: WORKSPACE,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    },
  );
  assert.equal(`${status} ${stderr}`, '0 ', line);
  const calls = (output[3] ?? '').split('\n\0').slice(0, -1);
  return calls.map((call) => call.split('\0').slice(0, -1));
}

/** Runs the parser over a call, with actions that do nothing but say which command it was. */
async function parse(args: readonly string[]): Promise<string> {
  let called = '';
  const root = program();
  const disarm = (command: Command, path: readonly string[]) => {
    if (command.commands.length === 0) {
      command.action(() => {
        called = path.join(' ');
      });
    }
    for (const child of command.commands) disarm(child, [...path, child.name()]);
  };
  disarm(root, []);
  await root.parseAsync([...args], { from: 'user' });
  return called;
}

for (const { path, definition } of commands) {
  test(`the examples of faultline ${path.join(' ')} are calls that parse`, async () => {
    assert.ok(definition.examples.length > 0);
    for (const line of definition.examples) {
      const called = await Promise.all(callsIn(line).map(parse));
      assert.ok(called.includes(path.join(' ')), `${line} calls ${called.join(', ')}`);
    }
  });
}

test('README names every command', async () => {
  const readme = await readFile(join(WORKSPACE, 'tools/cli/README.md'), 'utf8');
  for (const { path } of commands) assert.ok(readme.includes(`| \`faultline ${path.join(' ')}`), path.join(' '));
});

test('the help of a command shows its options and examples and exits 0', () => {
  const { status, stdout } = faultline(['campaign', 'run', '--help']);
  assert.equal(status, 0);
  assert.match(stdout, /--json/);
  assert.match(stdout, /Examples?:\n {2}\$ faultline campaign run /);
});

test('help and README document the exit codes', async () => {
  const help = program();
  let text = '';
  help
    .configureOutput({
      writeOut: (part) => {
        text += part;
      },
    })
    .outputHelp();
  const readme = await readFile(join(WORKSPACE, 'tools/cli/README.md'), 'utf8');
  for (const [code, meaning] of EXIT_CODES) {
    assert.ok(text.includes(`${code}  ${meaning}`), meaning);
    assert.ok(
      readme.split('\n').some((line) => line.startsWith(`| ${code} `) && line.includes(meaning)),
      meaning,
    );
  }
});

for (const [name, args, env, message] of [
  ['an unknown command', ['fly'], {}, /unknown command 'fly'/],
  ['an unknown option', ['campaign', 'list', '--yaml'], {}, /unknown option '--yaml'/],
  ['a missing campaign file', ['campaign', 'run', 'nowhere.yaml'], {}, /nowhere\.yaml/],
  ['a count of clips that is none', ['campaign', 'run', 'x.yaml', '--clips', '-3'], {}, /whole number from 1 up/],
  ['gc that is not told what to keep', ['gc'], {}, /--keep-newest COUNT/],
  [
    'a misspelt variable',
    ['campaign', 'list'],
    { FAULTLINE_LOG_LEVLE: 'debug' },
    /FAULTLINE_LOG_LEVLE .*FAULTLINE_LOG_LEVEL/,
  ],
] as const) {
  test(`${name} exits 2 and says what is wrong`, () => {
    const { status, stderr, stdout } = faultline(args, env);
    assert.equal(status, 2);
    assert.match(stderr, message);
    assert.equal(stdout, '');
    assert.doesNotMatch(stderr, /\n {4}at /);
  });
}
