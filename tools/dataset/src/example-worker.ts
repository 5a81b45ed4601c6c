import { parentPort, workerData } from 'node:worker_threads';
import { compose, type Example } from './compose.ts';
import type { BatchRequest, ExampleBatch, WorkerSetup } from './example-stream.ts';
import { sourcesFrom } from './sources.ts';

const { shared, split, seed, augment }: WorkerSetup = workerData;
const sources = sourcesFrom(shared);

parentPort?.on('message', ({ start, size }: BatchRequest) => {
  const examples = Array.from({ length: size }, (_, offset) =>
    compose(sources, split, { seed, index: start + offset, augment }),
  );
  const batch = stacked(start, examples);
  const tensors = [batch.waveform, batch.frames, batch.targets, batch.audioTargets, batch.visualTargets];
  parentPort?.postMessage(
    batch,
    tensors.map(({ buffer }) => buffer),
  );
});

function stacked(start: number, examples: readonly Example[]): ExampleBatch {
  const floats = (of: (example: Example) => Float32Array): Float32Array<ArrayBuffer> => {
    const parts = examples.map(of);
    const length = parts[0]?.length ?? 0;
    const joined = new Float32Array(parts.length * length);
    for (const [at, part] of parts.entries()) joined.set(part, at * length);
    return joined;
  };
  const frameBytes = examples[0]?.frames.length ?? 0;
  const frames = new Uint8Array(examples.length * frameBytes);
  for (const [at, example] of examples.entries()) frames.set(example.frames, at * frameBytes);
  return {
    start,
    size: examples.length,
    waveform: floats(({ waveform }) => waveform),
    frames,
    targets: floats(({ targets }) => targets),
    audioTargets: floats(({ audioTargets }) => audioTargets),
    visualTargets: floats(({ visualTargets }) => visualTargets),
  };
}
