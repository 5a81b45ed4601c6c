import { run } from '../program.ts';
import type { Outcome } from './command-host.ts';

// Runs one command line after another, as they come from the parent, and answers with what each wrote.

process.on('message', async ({ args }: { readonly args: readonly string[] }) => {
  const outcome = { code: 0, stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    process[name].write = (part: string | Uint8Array) => {
      outcome[name] += String(part);
      return true;
    };
  }
  outcome.code = await run(args);
  process.send?.(outcome satisfies Outcome);
});
