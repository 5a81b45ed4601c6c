import { type Graph, type LevelRange, modelOf, OnnxError } from '@faultline/onnx';
import { type Feeds, Session } from '../session.ts';
import { float32Data } from '../tensors.ts';
import { bestRange, count, type Histogram } from './range-search.ts';

const BINS = 2048;

/**
 * How a range is found: `mse` by the least expected squared error, `min-max` from the lowest to the highest number seen.
 */
export const RANGE_RULES = ['mse', 'min-max'] as const;
export type RangeRule = (typeof RANGE_RULES)[number];

export interface Calibration {
  readonly graph: Graph;
  /** Values whose ranges are wanted. */
  readonly values: readonly string[];
  /** Batches of calibration clips; read twice. */
  readonly batches: readonly Feeds[];
  readonly rule: RangeRule;
  readonly threads: number;
}

/**
 * Ranges of a graph's values over calibration clips.
 * @throws OnnxError where a value is no number on some clip
 */
export async function calibrate(calibration: Calibration): Promise<Map<string, LevelRange>> {
  const { graph, values, batches, rule, threads } = calibration;
  const outputs = values.map((name) => ({ name, dataType: 'unknown' as const, dims: undefined }));
  await using session = await Session.create(modelOf({ ...graph, outputs }), { threads });
  const histograms = new Map<string, Histogram>();
  await eachValue(session, batches, (name, data) => {
    const known = histograms.get(name);
    let [low, high] = [known?.low ?? Number.POSITIVE_INFINITY, known?.high ?? Number.NEGATIVE_INFINITY];
    for (const value of data) {
      if (!Number.isFinite(value)) throw new OnnxError(`value '${name}' is ${value} on a calibration clip`);
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
    histograms.set(name, { low, high, counts: known?.counts ?? new Float64Array(BINS) });
  });
  if (rule === 'min-max') return new Map(histograms);
  await eachValue(session, batches, (name, data) => {
    const histogram = histograms.get(name);
    if (histogram !== undefined) count(histogram, data);
  });
  return new Map(Array.from(histograms, ([name, histogram]) => [name, bestRange(histogram)]));
}

async function eachValue(
  session: Session,
  batches: readonly Feeds[],
  use: (name: string, data: Float32Array) => void,
): Promise<void> {
  for (const feeds of batches) {
    const results = await session.run(feeds);
    for (const [name, value] of Object.entries(results)) use(name, float32Data(value));
  }
}
