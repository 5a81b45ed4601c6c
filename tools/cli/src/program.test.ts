import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { EXIT_CODES } from './exit-code.ts';
import { WORKSPACE } from './workspace.ts';

function faultline(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('FAULTLINE_'));
  return spawnSync(process.execPath, [join(WORKSPACE, 'tools/cli/bin/faultline.js'), ...args], {
    encoding: 'utf8',
    env: { ...Object.fromEntries(inherited), ...env },
  });
}

for (const command of [['up'], ['campaign', 'run'], ['campaign', 'list'], ['report']]) {
  test(`faultline ${command.join(' ')} --help shows an example and exits 0`, () => {
    const { status, stdout } = faultline([...command, '--help']);
    assert.equal(status, 0);
    assert.match(stdout, /--json/);
    assert.match(stdout, /Example:\n {2}\$ faultline /);
  });
}

test('help and README document the exit codes', async () => {
  const help = faultline(['--help']).stdout;
  const readme = await readFile(join(WORKSPACE, 'tools/cli/README.md'), 'utf8');
  for (const [code, meaning] of EXIT_CODES) {
    assert.ok(help.includes(`${code}  ${meaning}`), meaning);
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
