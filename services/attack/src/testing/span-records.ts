import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SpanRecord } from '@faultline/service-kit';

/** All spans that processes have written to a folder. */
export async function readSpans(folder: string): Promise<SpanRecord[]> {
  const texts = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name), 'utf8')));
  return texts.flatMap((text) => text.trim().split('\n').filter(Boolean)).map((line): SpanRecord => JSON.parse(line));
}
