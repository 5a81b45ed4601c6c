import { readFileSync } from 'node:fs';

/** Whether a process runs (Linux). One that has ended but that nobody has waited for yet does not. */
export function isRunning(pid: number): boolean {
  try {
    // The state follows the name, which stands in parentheses and may hold anything.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}
