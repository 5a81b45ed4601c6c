import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { exampleClassifier, readmeExamples } from './readme-examples.ts';

test('the example of the README runs', async () => {
  const [example] = await readmeExamples('ts');
  assert.ok(example !== undefined);
  // Within the library, so that its imports are found.
  const inside = path.join(import.meta.dirname, '../../tmp');
  await mkdir(inside, { recursive: true });
  const folder = await mkdtemp(path.join(inside, 'readme-'));
  try {
    await writeFile(path.join(folder, 'classifier.onnx'), exampleClassifier());
    await writeFile(path.join(folder, 'example.ts'), example);
    const { stdout } = await promisify(execFile)(process.execPath, ['example.ts'], { cwd: folder });
    assert.match(stdout, /\[ 2, 800 \]/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
