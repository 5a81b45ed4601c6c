import { type SpawnOptions, spawn } from 'node:child_process';

const FOUND_NOTHING = 'ENOENT';

/** Runs a program to its end. @throws Error that names the program: it is not installed, or did not end well. */
export async function runProgram(
  program: string,
  args: readonly string[],
  options: Pick<SpawnOptions, 'cwd' | 'stdio'> = { stdio: 'ignore' },
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn(program, args, options);
  child.once('error', (error: NodeJS.ErrnoException) => {
    const missing = error.code === FOUND_NOTHING;
    reject(missing ? new Error(`${program} is not installed; install it and run again`, { cause: error }) : error);
  });
  child.once('exit', (code, signal) => {
    if (code === 0) resolve();
    else reject(new Error(`${program} ended with ${signal ?? code}`));
  });
  await promise;
}
