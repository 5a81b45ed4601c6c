import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatProgress, ProgressLine } from './progress-line.ts';

test('a bar, the percentage, the time left and the activity', () => {
  assert.equal(
    formatProgress({ progress: 0.25, remainingSeconds: 64.2, activity: 'late: linf-waveform' }),
    '[######                  ]  25 %  1:05 left  late: linf-waveform',
  );
  assert.equal(
    formatProgress({ progress: 0, remainingSeconds: -1, activity: '' }),
    `[${' '.repeat(24)}]   0 %  -:-- left`,
  );
});

/** What is written to a stream like this. */
function written(stream: { isTTY: boolean; columns: number }, work: (line: ProgressLine) => void): string {
  let text = '';
  const sink = Object.assign(Object.create(process.stderr), stream, { write: (part: string) => (text += part) });
  using line = new ProgressLine(sink);
  work(line);
  return text;
}

test('on a terminal one line is rewritten and fits the width', () => {
  const text = written({ isTTY: true, columns: 40 }, (line) => {
    line.show({ progress: 0.1, remainingSeconds: 10, activity: 'a'.repeat(80) });
    line.show({ progress: 0.2, remainingSeconds: 9, activity: 'b' });
  });
  assert.equal(text.includes('\n'), false);
  assert.equal(
    text.split('\r').every((part) => part.replace('\x1b[K', '').length < 40),
    true,
  );
});

test('elsewhere a line is written for each tenth', () => {
  const text = written({ isTTY: false, columns: 80 }, (line) => {
    for (let percent = 0; percent <= 100; percent += 1) {
      line.show({ progress: percent / 100, remainingSeconds: 1, activity: 'x' });
    }
  });
  const lines = text.trim().split('\n');
  assert.ok(lines.length >= 10 && lines.length <= 11, `${lines.length} lines`);
});
