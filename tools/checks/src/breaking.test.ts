import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CHECK = fileURLToPath(new URL('./check-breaking.ts', import.meta.url));

/** A contract whose one field has the given number. */
const contract = (version: string, fieldNumber: number) => `syntax = "proto3";
package faultline.shop.${version};
message Order {
  string item = ${fieldNumber};
}
`;

describe('the check against the last release', () => {
  let folder: string;
  const git = (...args: string[]) =>
    execFileSync('git', ['-c', 'user.name=t', '-c', 'user.email=t@example.com', ...args], {
      cwd: folder,
      stdio: 'pipe',
    });
  const write = async (version: string, fieldNumber: number) => {
    await mkdir(join(folder, 'proto/faultline/shop', version), { recursive: true });
    await writeFile(join(folder, 'proto/faultline/shop', version, 'shop.proto'), contract(version, fieldNumber));
  };
  const check = () =>
    spawnSync(process.execPath, [CHECK], {
      cwd: folder,
      encoding: 'utf8',
      env: { ...process.env, PATH: `${join(ROOT, 'node_modules/.bin')}:${process.env.PATH}` },
    });

  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'breaking-'));
    await copyFile(join(ROOT, 'buf.yaml'), join(folder, 'buf.yaml'));
    await write('v1', 1);
    await write('v1alpha1', 1);
    git('init', '-q');
    git('add', '.');
    git('commit', '-q', '-m', 'first');
  });
  after(() => rm(folder, { recursive: true }));

  it('has nothing to compare with before the first release, then holds v1 to it, but not v1alpha1', async () => {
    const unreleased = check();
    assert.equal(unreleased.status, 0, unreleased.stderr);
    assert.match(unreleased.stdout, /no release yet/);

    git('tag', 'v0.1.0');
    await write('v1alpha1', 7);
    const unstable = check();
    assert.equal(unstable.status, 0, unstable.stdout + unstable.stderr);
    assert.match(unstable.stdout, /compatible with v0\.1\.0/);

    await write('v1', 7);
    const broken = check();
    assert.notEqual(broken.status, 0);
    assert.match(broken.stdout + broken.stderr, /field "1" .*was deleted/i);
  });
});
