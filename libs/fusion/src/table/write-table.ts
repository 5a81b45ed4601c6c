import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { measureArchitectures } from '../testing/measure-architectures.ts';
import { architectureTable, withTable } from './architecture-table.ts';

// Renews the README's table of architectures: node libs/fusion/src/table/write-table.ts

const readme = join(import.meta.dirname, '../../README.md');
const table = architectureTable(await measureArchitectures());
await writeFile(readme, withTable(await readFile(readme, 'utf8'), table));
