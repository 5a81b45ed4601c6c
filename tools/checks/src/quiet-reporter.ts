import type { EventData } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { inspect } from 'node:util';

/** A test reporter that prints failures, what tests print themselves, and the closing figures. */
export default async function* quietReporter(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  for await (const event of source) yield textOf(event);
}

/** What is printed for an event; empty for those that only say that things go well. */
export function textOf(event: TestEvent): string {
  switch (event.type) {
    case 'test:fail':
      return failure(event.data);
    case 'test:stdout':
    case 'test:stderr':
      return event.data.message;
    case 'test:diagnostic':
      return event.data.nesting === 0 ? `ℹ ${event.data.message}\n` : '';
    default:
      return '';
  }
}

function failure({ name, file, line, details: { error } }: EventData.TestFail): string {
  // A suite or a file that fails only because a test inside it does was reported with that test.
  if ('failureType' in error && error.failureType === 'subtestsFailed') return '';
  const cause = inspect(error.cause ?? error, { colors: false, depth: 5 });
  return `✖ ${name} (${file ?? 'no file'}:${line ?? 0})\n${cause.replace(/^/gm, '    ')}\n`;
}
