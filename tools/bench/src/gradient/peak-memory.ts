import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { encodeModel, type Model } from '@faultline/onnx';
import type { Setting } from './setting.ts';
import { inputsOf } from './workload.ts';

/**
 * Bytes of resident memory that loading and evaluating a model takes at most, measured in a process of its own: what the
 * process had before is taken off, what loading alone needed for a moment is not counted. Undefined where the system does
 * not tell (Linux does).
 */
export async function peakMemory(model: Model, batch: number, setting: Setting): Promise<number | undefined> {
  if (process.platform !== 'linux') return undefined;
  const folder = await mkdtemp(join(tmpdir(), 'faultline-bench-'));
  try {
    const file = join(folder, 'model.onnx');
    await writeFile(file, encodeModel(model));
    const child = join(import.meta.dirname, 'measure-memory.ts');
    const shapes = [...inputsOf(model, batch)].map(([name, { dims }]) => [name, dims] as const);
    const inputs = JSON.stringify(Object.fromEntries(shapes));
    const args = ['--expose-gc', '--no-warnings', child, file, String(setting.threads), inputs];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    return Number(stdout);
  } finally {
    await rm(folder, { recursive: true });
  }
}
