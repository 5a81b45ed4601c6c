import { UsageError } from '../exit-code.ts';
import { Interruption } from '../interruption.ts';
import { readEndpoint, removeEndpoint, writeEndpoint } from '../stack/endpoint.ts';
import { Stack } from '../stack/stack.ts';
import { SpanFolder } from '../trace/span-folder.ts';
import { RUNS_DIR } from '../workspace.ts';
import type { CommandDefinition } from './command-definition.ts';
import type { CommandOptions } from './in-session.ts';
import {
  addJson,
  addRuns,
  addVictim,
  addVictims,
  type FolderOptions,
  foldersOf,
  type JsonOption,
  type VictimOption,
} from './options.ts';

/** `faultline up`: services that stay. */
export const up: CommandDefinition = {
  name: 'up',
  summary: 'start the services and keep them until Ctrl-C, for campaigns that other terminals run',
  examples: ['faultline up', 'faultline up --victim all --victim ./my-victim'],
  configure: (command) => {
    addVictim(addJson(addVictims(addRuns(command)), 'print the addresses as JSON')).action(
      (options: FolderOptions & JsonOption & VictimOption) =>
        keepServices({
          json: options.json === true,
          stack: { ...foldersOf(options), only: options.victim ?? [] },
        }),
    );
  },
};

/**
 * Starts the services and keeps them until Ctrl-C.
 * @throws UsageError when services are up already.
 * @throws FaultlineError when a service dies; the others are stopped.
 */
async function keepServices({ json, stack: options }: CommandOptions): Promise<void> {
  const runsDir = options.runsDir ?? RUNS_DIR;
  const other = await readEndpoint(runsDir);
  if (other !== undefined) {
    throw new UsageError(`services are up already, kept by process ${other.pid}; use them, or stop that process first`);
  }
  using interruption = new Interruption();
  using spans = new SpanFolder();
  await using stack = await Stack.start({
    ...options,
    traceDir: spans.path,
    signal: interruption.signal,
    onLog: (service, line) => process.stderr.write(`${service}: ${line}\n`),
  });
  await writeEndpoint(runsDir, {
    score: stack.scoreAddress,
    pid: process.pid,
    traceDir: spans.path,
    logDir: stack.logDir,
  });
  try {
    const victims = Object.fromEntries(stack.victims);
    const text = `score at ${stack.scoreAddress}; victims: ${Object.keys(victims).join(', ')}. Ctrl-C stops them.`;
    process.stdout.write(`${json ? JSON.stringify({ score: stack.scoreAddress, victims }) : text}\n`);
    await aborted(AbortSignal.any([interruption.signal, stack.died]));
  } finally {
    await removeEndpoint(runsDir);
  }
  if (stack.died.aborted) throw stack.died.reason;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
