import { readFileSync, writeFileSync } from 'node:fs';
import { decodeModel } from '@faultline/onnx';
import { type Feeds, Session, toOrt } from '@faultline/ort';
import { inputsOf } from './workload.ts';

// Prints the peak of resident memory, in bytes, of running a model file: FILE BATCH THREADS.

const RUNS = 3;
/** Written to clear_refs, it resets the peak that the kernel keeps (proc(5)). */
const RESET_PEAK = '5';
const BYTES_PER_KIB = 1024;

function statusBytes(field: 'VmHWM' | 'VmRSS'): number {
  const line = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return Number(line?.[1]) * BYTES_PER_KIB;
}

const collect = () => (globalThis as { gc?: () => void }).gc?.();

const [file = '', batch = '1', threads = '1'] = process.argv.slice(2);

function feedsOf(bytes: Uint8Array): Feeds {
  return Object.fromEntries(
    [...inputsOf(decodeModel(bytes), Number(batch))].map(([name, value]) => [name, toOrt(value)]),
  );
}

const feeds = feedsOf(readFileSync(file));
collect();
const before = statusBytes('VmRSS');
await using session = await Session.create(readFileSync(file), { threads: Number(threads) });
collect();
writeFileSync('/proc/self/clear_refs', RESET_PEAK);
for (let run = 0; run < RUNS; run++) await session.run(feeds);
process.stdout.write(String(statusBytes('VmHWM') - before));
