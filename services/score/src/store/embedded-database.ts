import { access, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { dataDir as emptyDatabase } from '@electric-sql/pglite-prepopulatedfs';

const DATABASE_FOLDER = 'db';
const INCOMPLETE_PREFIX = `${DATABASE_FOLDER}-incomplete-`;
/** Written once the first start is through: a folder without it is the remains of one that was interrupted. */
const COMPLETE_MARK = 'db-complete';

/** The default of 128 MB buys nothing for a few thousand rows, and would be the largest part of this service's memory. */
const SETTINGS = ['shared_buffers = 8MB'];

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Whether this is the name of what a first start that was interrupted has left. */
export function isIncompleteDatabase(name: string): boolean {
  return name.startsWith(INCOMPLETE_PREFIX);
}

/**
 * Opens the embedded PostgreSQL in `folder`/db, or makes one. A new one starts from a ready-made empty cluster: making it
 * by initdb would take three times the processor time and more than a gigabyte of memory.
 */
export async function openEmbeddedDatabase(folder: string): Promise<PGlite> {
  const path = join(folder, DATABASE_FOLDER);
  const mark = join(folder, COMPLETE_MARK);
  if (await exists(mark)) return PGlite.create({ dataDir: path, postgresqlconf: SETTINGS });
  if (await exists(path)) await rename(path, join(folder, `${INCOMPLETE_PREFIX}${Date.now()}`));
  const database = await PGlite.create({ dataDir: path, postgresqlconf: SETTINGS, loadDataDir: await emptyDatabase() });
  await writeFile(mark, '');
  return database;
}
