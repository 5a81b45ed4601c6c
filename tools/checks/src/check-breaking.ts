import { execFileSync, spawnSync } from 'node:child_process';

/** The newest release: a tag like v0.1.0 that is an ancestor of what is checked out. */
function lastRelease(): string | undefined {
  const tags = execFileSync('git', ['tag', '--list', 'v[0-9]*', '--merged', 'HEAD', '--sort=-version:refname'], {
    encoding: 'utf8',
  });
  return tags.split('\n').find((tag) => tag !== '');
}

const release = lastRelease();
if (release === undefined) {
  process.stdout.write('contracts: no release yet, so nothing to be compatible with\n');
} else {
  const { status } = spawnSync('buf', ['breaking', '--against', `.git#tag=${release}`], { stdio: 'inherit' });
  process.exitCode = status ?? 1;
  if (status === 0) process.stdout.write(`contracts: compatible with ${release}\n`);
}
