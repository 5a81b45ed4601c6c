import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from 'node:fs';
import path from 'node:path';
import type { ExternalData } from './decode.ts';
import { OnnxError } from './model.ts';

/** Largest tensor that is read from a file of its own: what one typed array of the runtime holds. */
const LARGEST_BYTES = 2 ** 31 - 1;

/**
 * Reads external data of a model from its folder, and from nowhere else: absolute locations, locations that climb out, and
 * links that lead out are refused.
 */
export function externalDataIn(folder: string): ExternalData {
  const root = realpathSync(folder);
  return (location, offset, length) => {
    const fail = (problem: string, cause?: unknown) =>
      new OnnxError(`external data '${location}' ${problem}; keep it in the model's folder`, { cause });
    if (location === '' || location.includes('\0') || path.isAbsolute(location) || location.includes('\\'))
      throw fail('is no path within the folder');
    let file: string;
    try {
      file = realpathSync(path.join(root, location));
    } catch (cause) {
      throw fail('cannot be found', cause);
    }
    if (!file.startsWith(root + path.sep)) throw fail('lies outside the folder');
    // Without waiting: a named pipe would hold the thread until somebody writes to it.
    const handle = openSync(file, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0) | (constants.O_NOFOLLOW ?? 0));
    try {
      const stat = fstatSync(handle);
      if (!stat.isFile()) throw fail('is no file');
      const count = length ?? stat.size - offset;
      if (count < 0 || count > LARGEST_BYTES || offset + count > stat.size)
        throw fail(`has ${stat.size} bytes; ${count} from ${offset} on are asked for`);
      const bytes = new Uint8Array(count);
      for (let at = 0; at < count; ) {
        const read = readSync(handle, bytes, at, count - at, offset + at);
        if (read === 0) throw fail('ends early');
        at += read;
      }
      return bytes;
    } finally {
      closeSync(handle);
    }
  };
}
