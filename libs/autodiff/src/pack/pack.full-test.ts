import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { decodeModel } from '@faultline/onnx';
import { pack } from './pack.ts';
import { exampleClassifier, readmeExamples } from './readme-examples.ts';

const run = promisify(execFile);
const installed = path.resolve(import.meta.dirname, '../../../../node_modules');

/** Packages of others that the archives and the example import. */
const OTHERS = ['@bufbuild/protobuf', 'onnxruntime-node', 'onnxruntime-common'];

test('the packed library differentiates in a folder of its own, under plain Node', async () => {
  const folder = await mkdtemp(path.join(tmpdir(), 'autodiff-'));
  try {
    const modules = path.join(folder, 'node_modules');
    for (const archive of await pack(path.join(folder, 'packed'))) {
      const name = path
        .basename(archive)
        .replace(/^faultline-/, '')
        .replace(/-\d.*$/, '');
      const to = path.join(modules, '@faultline', name);
      await mkdir(to, { recursive: true });
      await run('tar', ['-xzf', archive, '-C', to, '--strip-components=1']);
    }
    const manifest = JSON.parse(await readFile(path.join(modules, '@faultline/autodiff/package.json'), 'utf8'));
    assert.deepEqual(Object.keys(manifest.dependencies), ['@faultline/onnx']);
    for (const name of OTHERS) {
      await mkdir(path.dirname(path.join(modules, name)), { recursive: true });
      await symlink(path.join(installed, name), path.join(modules, name));
    }
    const [example] = await readmeExamples('js');
    assert.ok(example);
    await writeFile(path.join(folder, 'package.json'), '{ "type": "module" }');
    await writeFile(path.join(folder, 'classifier.onnx'), exampleClassifier());
    await writeFile(path.join(folder, 'example.js'), example);
    await run(process.execPath, ['--no-strip-types', 'example.js'], { cwd: folder });
    const { graph } = decodeModel(await readFile(path.join(folder, 'gradient.onnx')));
    assert.deepEqual(
      graph.outputs.map(({ name }) => name),
      ['loss', 'grad/waveform'],
    );
    // Its declarations are those of the sources.
    const typed = "import { differentiate } from '@faultline/autodiff';\nexport const made: number = differentiate;\n";
    await writeFile(path.join(folder, 'typed.ts'), typed);
    const tsc = path.join(installed, 'typescript/bin/tsc');
    const options = ['--noEmit', '--module', 'nodenext', '--target', 'es2024', '--types', '', 'typed.ts'];
    const checked = await run(process.execPath, [tsc, ...options], { cwd: folder }).catch((error) => error);
    assert.match(
      checked.stdout,
      /Type '\(options: DifferentiateOptions\) => Graph' is not assignable to type 'number'/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});
