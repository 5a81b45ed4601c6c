import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readCards } from './read-cards.ts';
import { withTables, zooTables } from './zoo-tables.ts';

// `node tools/train/src/table/write-tables.ts`: renews the tables of zoo/victims/README.md from the cards beside it.

const ZOO = join(import.meta.dirname, '../../../../zoo/victims');
const readme = join(ZOO, 'README.md');
await writeFile(readme, withTables(await readFile(readme, 'utf8'), zooTables(await readCards(ZOO))));
