import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DenseTensor, victim } from '@faultline/contracts';
import { decodeMedia, type InputSpecification } from '@faultline/media';
import { labelPrecisions, rankingFigures, slicePrecisions } from '@faultline/metrics';
import { exampleDims, parseCard } from '@faultline/victim';
import { LocalVictim } from '@faultline/victim-local';
import { UsageError } from '../exit-code.ts';
import { type LabelledClip, strataOf } from './labelled-clips.ts';

/** A card's splits that shipped clips make up; the others were composed from a source pack. */
const CLIP_SPLIT = /^clips-(.+)$/;

/**
 * Largest differences that count as a match. Other processors round logits and decoded pictures differently in the last bits; that swaps
 * a few neighbours in a ranking, each of which moves a figure of a hundred clips by less than this.
 */
export const TOLERANCE: CleanFigures = { meanAveragePrecision: 0.002, areaUnderCurve: 0.002, dPrime: 0.02 };

/** The same for the average precision of one label, which has few clips, and for the mAP of the clips of one style. */
export const PART_TOLERANCE = { label: 0.025, style: 0.01 } as const;

/** Figures of one set of clips. */
export interface CleanFigures {
  readonly meanAveragePrecision: number;
  readonly areaUnderCurve: number;
  readonly dPrime: number;
}

/** All that is recomputed of one set of clips. */
export interface FoundFigures extends CleanFigures {
  /** Average precision by label; null where no clip has it. */
  readonly labels: ReadonlyMap<string, number | null>;
  /** mAP by style. */
  readonly styles: ReadonlyMap<string, number>;
}

/** The figure of one label or style. */
export interface PartEvaluation {
  readonly name: string;
  readonly card: number | null;
  readonly found: number | null;
  readonly matches: boolean;
}

export interface SplitEvaluation {
  readonly split: string;
  readonly clips: number;
  readonly card: CleanFigures;
  readonly found: CleanFigures;
  /** What the card tells of single labels and styles; older cards tell nothing. */
  readonly labels: readonly PartEvaluation[];
  readonly styles: readonly PartEvaluation[];
  /** Whether all of these match. */
  readonly matches: boolean;
}

export interface VictimEvaluation {
  readonly victim: string;
  readonly splits: readonly SplitEvaluation[];
  /** Splits of the card that shipped clips do not make up. */
  readonly notRecomputed: readonly string[];
  /** Whether all that was recomputed matches; null when the card holds no figure of shipped clips. */
  readonly matches: boolean | null;
}

/** Clips of one prediction. */
const BATCH = 16;

/**
 * Recomputes a card's clean figures from the shipped clips, in this process.
 * @throws UsageError when the clip set does not hold the clips that the card was measured on, CardError for a card that does not
 * fit its files.
 */
export async function evaluateVictim(
  folder: string,
  clips: readonly LabelledClip[],
  options: { readonly threads: number; readonly onClips: (done: number) => void },
): Promise<VictimEvaluation> {
  const card = parseCard(await readFile(join(folder, 'card.json'), 'utf8'));
  const wanted = card.metrics.flatMap((metrics) => {
    const stratum = CLIP_SPLIT.exec(metrics.split)?.[1];
    return stratum === undefined ? [] : [{ metrics, stratum }];
  });
  const notRecomputed = card.metrics.map(({ split }) => split).filter((split) => !CLIP_SPLIT.test(split));
  if (wanted.length === 0) return { victim: card.name, splits: [], notRecomputed, matches: null };
  const loaded = await LocalVictim.fromFolder(folder, { threads: options.threads });
  const splits: SplitEvaluation[] = [];
  let done = 0;
  for (const { metrics, stratum } of wanted) {
    // A set only ever grows behind its clips: those that a card was measured on come first.
    const own = strataOf(clips, stratum).slice(0, metrics.clips);
    if (own.length < metrics.clips) {
      throw new UsageError(
        `${card.name} was measured on ${metrics.clips} clips of stratum ${stratum}, the clip set has ${own.length}; give the set that it was measured on with --clips`,
      );
    }
    const scores = new Float32Array(own.length * card.labels.length);
    for (let start = 0; start < own.length; start += BATCH) {
      const batch = own.slice(start, start + BATCH);
      scores.set(await logitsOf(loaded, card, batch), start * card.labels.length);
      done += batch.length;
      options.onClips(done);
    }
    splits.push(compared(metrics, figuresOf(card, own, scores)));
  }
  return { victim: card.name, splits, notRecomputed, matches: splits.every(({ matches }) => matches) };
}

function figuresOf(card: victim.Card, clips: readonly LabelledClip[], scores: Float32Array): FoundFigures {
  const targets = clips.flatMap((clip) => card.labels.map(({ label }) => (clip.labels.includes(label) ? 1 : 0)));
  const scored = { labels: card.labels.length, scores, targets };
  const found = rankingFigures(scored);
  const precisions = labelPrecisions(scored);
  const slices = slicePrecisions(
    scored,
    clips.map(({ styles }) => styles),
  );
  return {
    labels: new Map(card.labels.map(({ label }, index) => [label, precisions[index]?.averagePrecision ?? null])),
    styles: new Map(slices.map(({ name, meanAveragePrecision }) => [name, meanAveragePrecision])),
    meanAveragePrecision: found.meanAveragePrecision ?? 0,
    areaUnderCurve: found.areaUnderCurve ?? 0,
    dPrime: found.dPrime ?? 0,
  };
}

/** @returns whether each figure is within its tolerance of the card's. */
export function compared(metrics: victim.CleanMetrics, figures: FoundFigures): SplitEvaluation {
  const { split, clips, meanAveragePrecision, areaUnderCurve, dPrime } = metrics;
  const card = { meanAveragePrecision, areaUnderCurve, dPrime };
  const { labels: foundLabels, styles: foundStyles, ...found } = figures;
  const labels = metrics.labels.map(({ label, averagePrecision }) =>
    comparedPart(label, averagePrecision ?? null, foundLabels.get(label) ?? null, PART_TOLERANCE.label),
  );
  const styles = metrics.styles.map((style) =>
    comparedPart(style.style, style.meanAveragePrecision, foundStyles.get(style.style) ?? null, PART_TOLERANCE.style),
  );
  const within = (figure: keyof CleanFigures) => Math.abs(found[figure] - card[figure]) <= TOLERANCE[figure];
  const whole = within('meanAveragePrecision') && within('areaUnderCurve') && within('dPrime');
  const matches = whole && [...labels, ...styles].every((part) => part.matches);
  return { split, clips, card, found, labels, styles, matches };
}

function comparedPart(name: string, card: number | null, found: number | null, tolerance: number): PartEvaluation {
  const matches = card === null || found === null ? card === found : Math.abs(card - found) <= tolerance;
  return { name, card, found, matches };
}

async function logitsOf(
  loaded: LocalVictim,
  card: victim.Card,
  clips: readonly LabelledClip[],
): Promise<ArrayLike<number>> {
  const specifications = card.inputs.map(specificationOf);
  const decoded = await Promise.all(clips.map(async ({ file }) => decodeMedia(await readFile(file), specifications)));
  const inputs = new Map(
    card.inputs.map((input, at): [string, DenseTensor] => {
      const rows = decoded.map((clip) => clip[at]?.data ?? new Float32Array());
      return [input.name, { dims: [clips.length, ...exampleDims(input)], data: stacked(rows) }];
    }),
  );
  return (await loaded.predict(inputs)).logits.data;
}

function stacked(rows: readonly (Float32Array | Uint8Array)[]): Float32Array | Uint8Array {
  const length = rows[0]?.length ?? 0;
  const all =
    rows[0] instanceof Uint8Array ? new Uint8Array(rows.length * length) : new Float32Array(rows.length * length);
  for (const [at, row] of rows.entries()) all.set(row, at * length);
  return all;
}

function specificationOf(input: victim.InputSpecification): InputSpecification {
  switch (input.kind?.$case) {
    case 'waveform':
      return { kind: 'waveform', ...input.kind.value };
    case 'frames':
      return { kind: 'frames', ...input.kind.value };
    default:
      throw new UsageError(`the card's input '${input.name}' has no kind; give waveform or frames`);
  }
}
