#!/usr/bin/env node
// The one file that an older Node must be able to read: it says what to do there, in place of a syntax error.
const LOWEST_MAJOR = 24;
const major = Number(process.versions.node.split('.')[0]);
if (major < LOWEST_MAJOR) {
  process.stderr.write(
    `faultline: needs Node ${LOWEST_MAJOR} and runs on ${process.versions.node}. ` +
      'After `npm ci`, `npx faultline` and `npm start` use the Node that comes with the project.\n',
  );
  process.exit(2);
}
const { enableCompileCache } = await import('node:module');
// Starts in half the time from the second call on.
enableCompileCache(new URL('../../../.cache/node', import.meta.url).pathname);
await import('../src/main.ts');
