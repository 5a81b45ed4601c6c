import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, writeFile } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { parseCsv } from '../import/csv.ts';
import { runProgram } from './run-program.ts';

const PACKAGE_LIST = join(import.meta.dirname, '../../pack/packages.csv');
const NPM = 'npm:';

export interface PackageVersion {
  readonly name: string;
  readonly version: string;
}

export async function readPackageList(): Promise<readonly PackageVersion[]> {
  const [, ...rows] = parseCsv(await readFile(PACKAGE_LIST, 'utf8'));
  return rows.map(([name = '', version = '']) => ({ name, version }));
}

/** How the names of a package's file begin and end, as `apt-get download` and `npm pack` give them. */
function fileName(name: string): readonly [prefix: string, suffix: string] {
  if (!name.startsWith(NPM)) return [`${name}_`, '.deb'];
  return [name.slice(NPM.length).replace(/^@/, '').replaceAll(/[/@]/g, '-'), '.tgz'];
}

/** The package's file in a folder; nothing where it is not there. */
export async function packageFile(folder: string, name: string): Promise<string | undefined> {
  const [prefix, suffix] = fileName(name);
  const found = (await readdir(folder).catch(() => [])).find(
    (file) => file.startsWith(prefix) && file.endsWith(suffix),
  );
  return found === undefined ? undefined : join(folder, found);
}

/**
 * Fetches the packages that a folder lacks, by apt-get and npm. @throws Error when one of them cannot be had; a Debian of another release
 * has other versions: snapshot.debian.org keeps them all.
 */
export async function downloadPackages(folder: string, packages: readonly PackageVersion[]): Promise<void> {
  await mkdir(folder, { recursive: true });
  const run = (program: string, args: readonly string[]) =>
    runProgram(program, args, { cwd: folder, stdio: 'inherit' });
  for (const { name, version } of packages) {
    if ((await packageFile(folder, name)) !== undefined) continue;
    if (name.startsWith(NPM)) await run('npm', ['pack', '--silent', name.slice(NPM.length)]);
    else await run('apt-get', ['download', `${name}=${version}`]);
  }
}

/**
 * Unpacks some members of a package, once: files, folders as a whole, and what links among them point to. Members that it does not hold
 * are left out.
 * @returns where they lie
 */
export async function unpack(file: string, members: readonly string[], work: string): Promise<string> {
  const wanted = [...new Set(members)].sort();
  const digest = createHash('sha256')
    .update(JSON.stringify([file, wanted]))
    .digest('hex')
    .slice(0, 16);
  const into = join(work, digest);
  const marker = join(work, `${digest}.done`);
  if (await readFile(marker, 'utf8').catch(() => undefined)) return into;
  await mkdir(into, { recursive: true });
  const asked = new Set<string>();
  for (let next = wanted; next.length > 0; next = (await linkTargets(into, next)).filter((path) => !asked.has(path))) {
    for (const member of next) asked.add(member);
    await extract(file, next, into);
  }
  await writeFile(marker, 'done\n');
  return into;
}

async function extract(file: string, members: readonly string[], into: string): Promise<void> {
  const isDebian = file.endsWith('.deb');
  const list = `${into}.members`;
  await writeFile(list, members.map((member) => `${isDebian ? './' : ''}${member}\n`).join(''));
  // tar goes on where a member is missing; what does not come out is reported file by file.
  const tar = `tar -x ${isDebian ? '' : '-z -f "$0"'} -C "$1" --no-same-owner --verbatim-files-from -T "$2" 2>/dev/null || true`;
  await runProgram('sh', ['-c', isDebian ? `dpkg-deb --fsys-tarfile "$0" | (${tar})` : tar, file, into, list]);
}

/** Members that links among the given ones point to. */
async function linkTargets(root: string, members: readonly string[]): Promise<string[]> {
  const targets = await Promise.all(
    members.map(async (member) => {
      const target = await readlink(join(root, member)).catch(() => undefined);
      return target === undefined
        ? []
        : [normalize(join(target.startsWith('/') ? '' : dirname(member), target)).replace(/^\//, '')];
    }),
  );
  return targets.flat();
}
