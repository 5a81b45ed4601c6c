import { execFileSync } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { apiPage } from './api-page.ts';

// Checks that docs/api.md is what the contracts say; with --write, writes it.

const PAGE = 'docs/api.md';
/** What callers begin with comes first. */
const PACKAGES = ['score', 'attack', 'inference', 'features', 'victim', 'common'].map(
  (name) => `faultline.${name}.v1alpha1`,
);
const STANDARD_PACKAGES = ['inference', 'grpc.health.v1', 'grpc.reflection.v1'];

const built = execFileSync('buf', ['build', '-o', '-', '--as-file-descriptor-set']);
const set = fromBinary(FileDescriptorSetSchema, built);
const known = [...PACKAGES, ...STANDARD_PACKAGES];
const others = set.file
  .map((file) => file.package)
  .filter((name) => !known.includes(name) && !name.startsWith('google.'));
const page = apiPage(set, [...PACKAGES, ...new Set(others), ...STANDARD_PACKAGES]);
if (process.argv.includes('--write')) {
  await mkdir('docs', { recursive: true });
  await writeFile(PAGE, page);
} else if ((await readFile(PAGE, 'utf8').catch(() => '')) !== page) {
  process.stderr.write(`${PAGE} is not what proto/ says: run npm run format\n`);
  process.exitCode = 1;
}
