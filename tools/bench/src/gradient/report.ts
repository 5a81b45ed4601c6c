import type { Row } from '../markdown-table.ts';
import type { Result } from './bench-workload.ts';
import type { WeightGradientResult } from './weight-gradient.ts';

export const resultRow = (result: Result): Row => ({
  network: `${result.name}, batch ${result.batch}`,
  'forward ms': result.forwardMs.toFixed(1),
  'gradient ms': result.gradientMs.toFixed(1),
  ratio: result.ratio.toFixed(2),
  'ratio of fastest': result.fastestRatio.toFixed(2),
  'of processor time': result.processorRatio.toFixed(2),
  'GFLOP/s': result.gradientGflops.toFixed(0),
  'of matrix product': `${(100 * result.shareOfMachine).toFixed(0)} %`,
  setting: `${result.setting.threads} threads, ${result.setting.waiting}, memory ${result.setting.memory}`,
});

const megabytes = (value: number | undefined) => (value === undefined ? '-' : value.toFixed(0));

export const memoryRow = (result: Result): Row => ({
  network: `${result.name}, batch ${result.batch}`,
  'forward peak MB': megabytes(result.forwardPeakMb),
  'gradient peak MB': megabytes(result.gradientPeakMb),
  ratio: result.peakRatio?.toFixed(2) ?? '-',
});

export const weightGradientLine = ({ name, ms, gflops }: WeightGradientResult): string =>
  `- Weight gradient of a 3x3 convolution, ${name}: ${ms.toFixed(2)} ms, ${gflops.toFixed(0)} GFLOP/s on 2 threads`;
