import { readFileSync, writeFileSync } from 'node:fs';
import { type Feeds, OrtTensor, Session } from '@faultline/ort';
import { spread } from './spread.ts';

// Prints the peak of resident memory, in bytes, of running a model file: FILE THREADS INPUTS, the last as JSON: name -> dims.

const RUNS = 3;
/** Written to clear_refs, it resets the peak that the kernel keeps (proc(5)). */
const RESET_PEAK = '5';
const BYTES_PER_KIB = 1024;

function statusBytes(field: 'VmHWM' | 'VmRSS'): number {
  const line = readFileSync('/proc/self/status', 'utf8').match(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm'));
  return Number(line?.[1]) * BYTES_PER_KIB;
}

const collect = () => (globalThis as { gc?: () => void }).gc?.();

const [file = '', threads = '1', inputs = '{}'] = process.argv.slice(2);
const shapes = Object.entries(JSON.parse(inputs) as Record<string, number[]>);
const feeds: Feeds = Object.fromEntries(
  shapes.map(([name, dims]) => [name, new OrtTensor('float32', spread(dims), dims)]),
);
const load = () => Session.create(readFileSync(file), { threads: Number(threads) });

collect();
const before = statusBytes('VmRSS');
await using session = await load();
collect();
writeFileSync('/proc/self/clear_refs', RESET_PEAK);
for (let run = 0; run < RUNS; run++) await session.run(feeds);
process.stdout.write(String(statusBytes('VmHWM') - before));
