import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { z } from 'zod';
import { commonConfig, describeConfig, flag, jsonOf, loadConfig } from './config.ts';

const schema = z.object({
  victimDir: z.string().describe('Folder of the victim.'),
  threads: z.coerce.number().int().min(1).default(1).describe('Threads of a session.'),
  victims: jsonOf(z.record(z.string(), z.string())).optional().describe('Names and addresses.'),
});

const configError = (message: RegExp) => ({ name: 'ConfigError', message });

test('variables are read, converted and completed with defaults', () => {
  const env = {
    FAULTLINE_VICTIM_DIR: 'zoo/late',
    FAULTLINE_VICTIMS: '{"late":"127.0.0.1:1"}',
    FAULTLINE_PORT: '',
    HOME: '/',
  };
  assert.deepEqual(loadConfig(schema, env), {
    host: '127.0.0.1',
    port: 0,
    traceDir: undefined,
    exitWithParent: false,
    logLevel: 'info',
    victimDir: 'zoo/late',
    threads: 1,
    victims: { late: '127.0.0.1:1' },
  });
});

test('an unknown variable is an error that lists the known ones', () => {
  const env = { FAULTLINE_VICTIM_DIR: 'zoo', FAULTLINE_THREAD: '2' };
  assert.throws(
    () => loadConfig(schema, env),
    configError(
      /^FAULTLINE_THREAD is not a known variable \(known: .*FAULTLINE_PORT, FAULTLINE_THREADS, FAULTLINE_TRACE_DIR/,
    ),
  );
});

test('every problem is named in one line', () => {
  const env = {
    FAULTLINE_THREADS: 'many',
    FAULTLINE_PORT: '70000',
    FAULTLINE_EXIT_WITH_PARENT: 'perhaps',
    FAULTLINE_VICTIMS: '{',
  };
  assert.throws(
    () => loadConfig(schema, env),
    (error: unknown) => {
      assert.ok(error instanceof Error);
      assert.doesNotMatch(error.message, /\n/);
      for (const part of [
        'FAULTLINE_VICTIM_DIR is required but not set',
        'FAULTLINE_THREADS="many" is not usable',
        'FAULTLINE_PORT="70000" is not usable',
        'FAULTLINE_EXIT_WITH_PARENT="perhaps" is not usable',
        'FAULTLINE_VICTIMS="{" is not usable: expected JSON',
      ]) {
        assert.ok(error.message.includes(part), `${part} in ${error.message}`);
      }
      return true;
    },
  );
});

test('a wrong value inside JSON is located', () => {
  const env = { FAULTLINE_VICTIM_DIR: 'zoo', FAULTLINE_VICTIMS: '{"late":5}' };
  assert.throws(() => loadConfig(schema, env), configError(/^FAULTLINE_VICTIMS=.* is not usable at late: /));
});

test('a table for the README says what is required, and finds descriptions inside defaults', () => {
  const rows = describeConfig(schema.extend({ verbose: flag.describe('Talks.').default(false) }));
  assert.deepEqual(rows, [
    '| `FAULTLINE_VICTIM_DIR` | required | Folder of the victim. |',
    '| `FAULTLINE_THREADS` | `1` | Threads of a session. |',
    '| `FAULTLINE_VICTIMS` | (unset) | Names and addresses. |',
    '| `FAULTLINE_VERBOSE` | `false` | Talks. |',
  ]);
});

test('the common variables are in the README as they are', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  // The formatter pads the columns of a table.
  const rows = readme.replaceAll(/ +/g, ' ');
  for (const row of describeConfig(commonConfig)) assert.ok(rows.includes(row), row);
});
