import { glob, readFile, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { commonConfig, describeConfig } from '@faultline/service-kit';
import { z } from 'zod';
import { withConfigTable } from './config-tables.ts';

// Checks that each service's README tells the configuration that its code reads; with --write, writes the tables.

/** The one schema that a configuration file exports. */
async function schemaOf(file: string): Promise<z.ZodObject> {
  const exports: unknown = await import(pathToFileURL(resolve(file)).href);
  const schemas = Object.values(exports ?? {}).filter((value) => value instanceof z.ZodObject);
  const [schema] = schemas;
  if (schema === undefined || schemas.length > 1)
    throw new Error(`${file} exports ${schemas.length} schemas; export the service's configuration, and that alone`);
  return schema;
}

const tables = new Map<string, z.ZodObject>([['libs/service-kit/README.md', commonConfig]]);
for await (const file of glob('services/*/src/config.ts'))
  tables.set(join(dirname(dirname(file)), 'README.md'), await schemaOf(file));

for (const [path, schema] of [...tables].sort(([a], [b]) => a.localeCompare(b))) {
  const readme = await readFile(path, 'utf8');
  const renewed = withConfigTable(readme, describeConfig(schema));
  if (renewed === readme) continue;
  if (process.argv.includes('--write')) await writeFile(path, renewed);
  else {
    process.stderr.write(`${path} does not tell the configuration that the code reads: run npm run format\n`);
    process.exitCode = 1;
  }
}
