import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';

const KIBIBYTE = 1024;

/**
 * Memory of a process in bytes: what it has written to itself (heaps, tensors, stacks) where the system tells it (Linux), else its resident set.
 * Unlike the proportional set size it does not change when other processes that share a library come and go.
 */
export async function memoryOf(pid: number): Promise<number> {
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => undefined);
  const anonymous = rollup === undefined ? undefined : /^Anonymous:\s+(\d+) kB$/m.exec(rollup)?.[1];
  if (anonymous !== undefined) return Number(anonymous) * KIBIBYTE;
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]);
  return Number(stdout.trim()) * KIBIBYTE;
}

/** Slope of a straight line through values that are evenly spaced, by least squares: growth from one value to the next. */
export function slope(values: readonly number[]): number {
  const middle = (values.length - 1) / 2;
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  let [products, squares] = [0, 0];
  for (const [index, value] of values.entries()) {
    products += (index - middle) * (value - mean);
    squares += (index - middle) ** 2;
  }
  return products / squares;
}
