import { readFileSync } from 'node:fs';

const FILE = new URL('../gen/descriptors.binpb', import.meta.url);

/**
 * All contracts as data: a serialised google.protobuf.FileDescriptorSet, without comments. Read from disk at each call.
 * @throws Error ENOENT when the contracts have not been generated.
 */
export function readDescriptorSet(): Uint8Array {
  return readFileSync(FILE);
}
