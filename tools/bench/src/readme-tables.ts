import { readFile, writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';

/** Where a benchmark's results stand in a README: between two comments that hold its name. */
export interface TablePlace {
  readonly readme: string;
  /** Of the npm script, as in `bench:gradient`. */
  readonly bench: string;
}

/**
 * Replaces what stands between the two markers by tables of results, and says on what machine.
 * @throws Error when the markers are gone.
 */
export async function writeTables({ readme, bench }: TablePlace, tables: string): Promise<void> {
  const [opening, closing] = [`<!-- ${bench} -->`, `<!-- /${bench} -->`];
  const text = await readFile(readme, 'utf8');
  const [start, end] = [text.indexOf(opening), text.indexOf(closing)];
  if (start < 0 || end < start) throw new Error(`${readme} must hold '${opening}' and, behind it, '${closing}'`);
  const processors = cpus();
  const machine = `${processors.length} cores (${processors[0]?.model.trim() ?? 'unknown'}), Node ${process.versions.node}`;
  const before = text.slice(0, start + opening.length);
  await writeFile(readme, `${before}\n\nMeasured on ${machine}.\n\n${tables.trim()}\n\n${text.slice(end)}`);
}
