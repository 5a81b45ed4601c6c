import { differentiate } from '@faultline/autodiff';
import { GraphBuilder, ints, type Model, modelOf, prune } from '@faultline/onnx';
import { dryRun, type Feeds, Session, toOrt } from '@faultline/ort';
import { interleave } from '../timing.ts';
import { inputsOf } from './workload.ts';

/** A 3x3 convolution of stride 1 that keeps the size. */
interface Convolution {
  readonly inputs: number;
  readonly outputs: number;
  readonly side: number;
}

const CONVOLUTIONS: readonly Convolution[] = [
  { inputs: 32, outputs: 32, side: 32 },
  { inputs: 64, outputs: 64, side: 16 },
  { inputs: 128, outputs: 128, side: 8 },
];
const BATCH = 16;
const KERNEL = 3;
/** What the target is stated for. */
const THREADS = 2;

export interface WeightGradientResult {
  readonly name: string;
  readonly ms: number;
  readonly gflops: number;
}

/** Times the gradient of a convolution's weights alone, on two threads. */
export async function benchWeightGradients(rounds: number): Promise<WeightGradientResult[]> {
  const results: WeightGradientResult[] = [];
  for (const convolution of CONVOLUTIONS) {
    const { inputs, outputs, side } = convolution;
    const model = await weightGradient(convolution);
    await using session = await Session.create(model, { threads: THREADS, memory: 'kept' });
    const feeds: Feeds = Object.fromEntries([...inputsOf(model, BATCH)].map(([name, value]) => [name, toOrt(value)]));
    const [timing] = await interleave([() => session.run(feeds)], rounds);
    const ms = timing?.medianMs ?? Number.NaN;
    const flops = 2 * BATCH * inputs * outputs * KERNEL ** 2 * side ** 2;
    results.push({ name: `${inputs}->${outputs} at ${side}x${side}, batch ${BATCH}`, ms, gflops: flops / (ms * 1e6) });
  }
  return results;
}

async function weightGradient({ inputs, outputs, side }: Convolution): Promise<Model> {
  const b = new GraphBuilder();
  const x = b.input('x', ['batch', inputs, side, side]);
  const weights = b.input('weights', [outputs, inputs, KERNEL, KERNEL]);
  const y = b.op('Conv', [x, weights], { pads: ints([1, 1, 1, 1]) });
  const g = b.input('g', ['batch', outputs, side, side]);
  b.output(b.times(y, g), undefined, 'unknown', 'loss');
  const graph = b.graph();
  const made = differentiate({ graph, types: await dryRun(graph), output: 'loss', wrt: [weights] });
  return modelOf(prune({ ...made, outputs: made.outputs.filter(({ name }) => name !== 'loss') }));
}
