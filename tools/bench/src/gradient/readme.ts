import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';

const README = join(import.meta.dirname, '../../../../libs/autodiff/README.md');
const START = '<!-- bench:gradient -->';
const END = '<!-- /bench:gradient -->';

/**
 * Replaces what README.md of libs/autodiff holds between its two markers by tables of results, and says on what machine.
 * @throws Error when the markers are gone.
 */
export async function writeTables(tables: string): Promise<void> {
  const text = await readFile(README, 'utf8');
  const [start, end] = [text.indexOf(START), text.indexOf(END)];
  if (start < 0 || end < start) throw new Error(`${README} must hold '${START}' and, behind it, '${END}'`);
  const processors = cpus();
  const machine = `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
  const before = text.slice(0, start + START.length);
  await writeFile(README, `${before}\n\nMeasured on ${machine}.\n\n${tables.trim()}\n\n${text.slice(end)}`);
}
