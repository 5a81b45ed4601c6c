import { type Graph, GraphBuilder, OnnxError } from '@faultline/onnx';
import { CounterRandom } from './counter-random.ts';

/** The value that masks act on: normalised log band power `[batch, 1, steps, bands]`, about 0 on average. */
const LOG_MEL = 'audio.log-mel';
const UNMASKED = 'audio.log-mel.unmasked';

/** Graph input, `[batch, 1, steps, 1]`: 1 keeps a time step, 0 blanks it to the mean. */
export const TIME_KEPT = 'audio.log-mel.time-kept';
/** Graph input, `[batch, 1, 1, bands]`. */
export const BANDS_KEPT = 'audio.log-mel.bands-kept';

/** Masks of a clip (Park et al., 2019, without warping). */
export interface SpecAugmentOptions {
  readonly timeMasks: number;
  /** Longest time mask, as a share of all steps. */
  readonly longestTimeShare: number;
  readonly bandMasks: number;
  /** Widest band mask, as a share of all bands. */
  readonly widestBandShare: number;
}

export const SPEC_AUGMENT_DEFAULTS: SpecAugmentOptions = {
  timeMasks: 2,
  longestTimeShare: 0.12,
  bandMasks: 2,
  widestBandShare: 0.15,
};

/** Sizes of the log-mel. */
export interface LogMelSize {
  readonly steps: number;
  readonly bands: number;
}

/**
 * Masks the log-mel of a training graph: two further inputs, `TIME_KEPT` and `BANDS_KEPT`.
 * @throws OnnxError when the graph makes no log-mel.
 */
export function withMaskedLogMel(graph: Graph, { steps, bands }: LogMelSize): Graph {
  const index = graph.nodes.findIndex(({ outputs }) => outputs.includes(LOG_MEL));
  const maker = graph.nodes[index];
  if (maker === undefined) throw new OnnxError(`SpecAugment needs a value '${LOG_MEL}'; this victim does not hear`);
  const g = new GraphBuilder({ prefix: 'mask/' });
  g.input(TIME_KEPT, ['batch', 1, steps, 1]);
  g.input(BANDS_KEPT, ['batch', 1, 1, bands]);
  g.op('Mul', [g.times(UNMASKED, TIME_KEPT), BANDS_KEPT], {}, LOG_MEL);
  const masks = g.graph();
  const renamed = { ...maker, outputs: maker.outputs.map((name) => (name === LOG_MEL ? UNMASKED : name)) };
  return {
    ...graph,
    inputs: [...graph.inputs, ...masks.inputs],
    nodes: [...graph.nodes.slice(0, index), renamed, ...masks.nodes, ...graph.nodes.slice(index + 1)],
  };
}

/** Masks of one batch. */
export interface Masks {
  /** `[size, 1, steps, 1]`. */
  readonly time: Float32Array;
  /** `[size, 1, 1, bands]`. */
  readonly bands: Float32Array;
}

/** Draws masks: a pure function of (seed, step, place in the batch). No options: everything is kept. */
export function drawMasks(
  options: SpecAugmentOptions | undefined,
  { steps, bands }: LogMelSize,
  at: { readonly seed: number; readonly step: number; readonly size: number },
): Masks {
  const time = new Float32Array(at.size * steps).fill(1);
  const band = new Float32Array(at.size * bands).fill(1);
  if (options === undefined) return { time, bands: band };
  for (let clip = 0; clip < at.size; clip++) {
    const random = new CounterRandom(at.seed, `masks/${at.step}/${clip}`);
    let index = 0;
    const blank = (row: Float32Array, count: number, longestShare: number): void => {
      for (let mask = 0; mask < count; mask++) {
        const length = random.below(index++, Math.floor(longestShare * row.length) + 1);
        const start = random.below(index++, row.length - length + 1);
        row.fill(0, start, start + length);
      }
    };
    blank(time.subarray(clip * steps, (clip + 1) * steps), options.timeMasks, options.longestTimeShare);
    blank(band.subarray(clip * bands, (clip + 1) * bands), options.bandMasks, options.widestBandShare);
  }
  return { time, bands: band };
}
