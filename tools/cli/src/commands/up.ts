import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { UsageError } from '../exit-code.ts';
import { Interruption } from '../interruption.ts';
import { readEndpoint, removeEndpoint, writeEndpoint } from '../stack/endpoint.ts';
import { Stack } from '../stack/stack.ts';
import { RUNS_DIR } from '../workspace.ts';
import type { CommandOptions } from './in-session.ts';

/**
 * `faultline up`: starts the services and keeps them until Ctrl-C, for campaigns run from other terminals.
 * @throws UsageError when services are up already.
 * @throws FaultlineError when a service dies; the others are stopped.
 */
export async function up({ json, stack: options }: CommandOptions): Promise<void> {
  const runsDir = options.runsDir ?? RUNS_DIR;
  const other = await readEndpoint(runsDir);
  if (other !== undefined) {
    throw new UsageError(`services are up already, kept by process ${other.pid}; use them, or stop that process first`);
  }
  using interruption = new Interruption();
  const traceDir = await mkdtemp(join(tmpdir(), 'faultline-spans-'));
  try {
    await using stack = await Stack.start({
      ...options,
      traceDir,
      signal: interruption.signal,
      onLog: (service, line) => process.stderr.write(`${service}: ${line}\n`),
    });
    await writeEndpoint(runsDir, { score: stack.scoreAddress, pid: process.pid, traceDir });
    try {
      const victims = Object.fromEntries(stack.victims);
      if (json) process.stdout.write(`${JSON.stringify({ score: stack.scoreAddress, victims })}\n`);
      else
        process.stdout.write(
          `score at ${stack.scoreAddress}; victims: ${Object.keys(victims).join(', ')}. Ctrl-C stops them.\n`,
        );
      await aborted(AbortSignal.any([interruption.signal, stack.died]));
    } finally {
      await removeEndpoint(runsDir);
    }
    if (stack.died.aborted) throw stack.died.reason;
  } finally {
    await rm(traceDir, { recursive: true, force: true });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    // A pending promise keeps no process alive, but the children's pipes do.
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
