import assert from 'node:assert/strict';
import { test } from 'node:test';
import { progressReporter } from './progress.ts';

function reported(isTTY: boolean): string[] {
  const written: string[] = [];
  let time = 0;
  const report = progressReporter({ isTTY, write: (text: string) => written.push(text) }, () => time);
  for (let done = 10; done <= 40; done += 10, time += 15_000) report({ stage: 'clips', done, of: 40 });
  return written;
}

test('a terminal gets a bar with the time to go, another output gets lines', () => {
  const [, second, , last] = reported(true);
  assert.equal(second, '\r[============            ] clips: 20 of 40, 30 s to go\x1b[K');
  assert.equal(last, '\r[========================] clips: 40 of 40\x1b[K\n');
  assert.equal(reported(false)[1], 'clips: 20 of 40, 30 s to go\n');
});

test('reports that come too fast are left out, the last one never', () => {
  const written: string[] = [];
  const report = progressReporter({ write: (text: string) => written.push(text) }, () => 0);
  for (let done = 0; done <= 100; done++) report({ stage: 'clips', done, of: 100 });
  assert.deepEqual(written, ['clips: 0 of 100\n', 'clips: 100 of 100\n']);
});
