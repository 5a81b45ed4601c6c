import { type Feeds, Session, toOrt } from '@faultline/ort';
import { interleave } from '../timing.ts';
import { matrixProduct, PRODUCT_FLOPS } from './matrix-product.ts';
import { peakMemory } from './peak-memory.ts';
import { bestSetting, type Setting } from './setting.ts';
import { compare, inputsOf, type Workload } from './workload.ts';

/** What is printed for each workload. */
export interface Result {
  readonly name: string;
  readonly batch: number;
  /** The setting in which the plain model runs fastest; the gradient runs in the same. */
  readonly setting: Setting;
  /** The plain model, inputs -> logits: median milliseconds. */
  readonly forwardMs: number;
  /** Loss and gradients of all inputs, median milliseconds. */
  readonly gradientMs: number;
  readonly ratio: number;
  /** Ratio of the fastest runs: less troubled by whatever else the machine did. */
  readonly fastestRatio: number;
  /** Ratio of the medians of processor time, of all threads together. */
  readonly processorRatio: number;
  readonly forwardGflops: number;
  /** Counted as twice the forward pass's operations, whatever the form that the gradient is computed in. */
  readonly gradientGflops: number;
  /** Rate of a plain product of matrices, in turn with the others. */
  readonly machineGflops: number;
  /** gradientGflops / machineGflops */
  readonly shareOfMachine: number;
  readonly forwardPeakMb: number | undefined;
  readonly gradientPeakMb: number | undefined;
  readonly peakRatio: number | undefined;
}

const MB = 1e6;
const FLOPS_PER_MAC = 2;
/** Multiply-accumulates of loss and input gradient over those of the forward pass: the gradient repeats each product once. */
const GRADIENT_WORK = 2;
const gigaPerSecond = (flops: number, ms: number) => flops / (ms * 1e6);

/** Measures one workload. */
export async function benchWorkload(workload: Workload, rounds: number): Promise<Result> {
  const { name, batch } = workload;
  const { forward, gradient, macs } = await compare(workload);
  const feeds: Feeds = Object.fromEntries([...inputsOf(forward, batch)].map(([key, value]) => [key, toOrt(value)]));
  const setting = await bestSetting(forward, feeds);
  await using plain = await Session.create(forward, setting);
  await using differentiated = await Session.create(gradient, setting);
  await using product = await matrixProduct(setting);
  const works = [() => plain.run(feeds), () => differentiated.run(feeds), () => product.run()];
  const [forwardTime, gradientTime, productTime] = await interleave(works, rounds);
  if (forwardTime === undefined || gradientTime === undefined || productTime === undefined) {
    throw new Error('nothing was timed');
  }
  const flops = FLOPS_PER_MAC * macs * batch;
  const gradientGflops = gigaPerSecond(GRADIENT_WORK * flops, gradientTime.medianMs);
  const machineGflops = gigaPerSecond(PRODUCT_FLOPS, productTime.medianMs);
  const peaks = [await peakMemory(forward, batch, setting), await peakMemory(gradient, batch, setting)];
  const [forwardPeakMb, gradientPeakMb] = peaks.map((bytes) => (bytes === undefined ? undefined : bytes / MB));
  return {
    name,
    batch,
    setting,
    forwardMs: forwardTime.medianMs,
    gradientMs: gradientTime.medianMs,
    ratio: gradientTime.medianMs / forwardTime.medianMs,
    fastestRatio: gradientTime.fastestMs / forwardTime.fastestMs,
    processorRatio: gradientTime.processorMs / forwardTime.processorMs,
    forwardGflops: gigaPerSecond(flops, forwardTime.medianMs),
    gradientGflops,
    machineGflops,
    shareOfMachine: gradientGflops / machineGflops,
    forwardPeakMb,
    gradientPeakMb,
    peakRatio: forwardPeakMb === undefined || gradientPeakMb === undefined ? undefined : gradientPeakMb / forwardPeakMb,
  };
}
