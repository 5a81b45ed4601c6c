import { rankingFigures } from '@faultline/metrics';
import type { FusionCheck } from '@faultline/report';
import type { ClipInputs } from '../peers/tensor-rows.ts';
import { targetsOf, type VictimUnderTest } from '../peers/victim-under-test.ts';

/** A clip as this check needs it. */
export interface LabelledClip {
  readonly labels: readonly string[];
  readonly inputs: ClipInputs;
}

/** For each clip the next one, cyclically, that shares no label with it; undefined where there is none. */
export function disjointPartners(labelSets: readonly (readonly string[])[]): (number | undefined)[] {
  return labelSets.map((labels, clip) => {
    const own = new Set(labels);
    for (let shift = 1; shift < labelSets.length; shift += 1) {
      const partner = (clip + shift) % labelSets.length;
      if (labelSets[partner]?.every((label) => !own.has(label))) return partner;
    }
    return undefined;
  });
}

/**
 * Whether a victim really fuses: its macro mAP on clips as they are, with the sound of a clip of disjoint labels, and with
 * the frames of one. A victim that fuses loses in both cases. Null unless it hears and sees, and some clip has a partner.
 * @param predict fresh logits of these points.
 */
export async function checkFusion(
  victim: VictimUnderTest,
  clips: readonly LabelledClip[],
  predict: (points: readonly ClipInputs[]) => Promise<readonly Float32Array[]>,
): Promise<FusionCheck | null> {
  const inputsOf = (kind: 'waveform' | 'frames') =>
    victim.card.inputs.filter((input) => input.kind?.$case === kind).map((input) => input.name);
  const [heard, seen] = [inputsOf('waveform'), inputsOf('frames')];
  const partners = disjointPartners(clips.map((clip) => clip.labels));
  const pairs = clips.flatMap((clip, index) => {
    const partner = clips[partners[index] ?? -1];
    return partner === undefined ? [] : [{ clip, partner }];
  });
  if (heard.length === 0 || seen.length === 0 || pairs.length === 0) return null;
  const targets = targetsOf(
    victim,
    pairs.map(({ clip }) => clip.labels),
  );
  const mapWith = async (swapped: readonly string[]): Promise<number | null> => {
    const points = pairs.map(
      ({ clip, partner }): ClipInputs =>
        new Map(
          clip.inputs
            .entries()
            .map(([name, row]) => [name, swapped.includes(name) ? (partner.inputs.get(name) ?? row) : row]),
        ),
    );
    const logits = await predict(points);
    const scores = logits.flatMap((row) => Array.from(row));
    return rankingFigures({ labels: victim.card.labels.length, scores, targets }).meanAveragePrecision;
  };
  return {
    cleanMap: await mapWith([]),
    audioSwapped: await mapWith(heard),
    framesSwapped: await mapWith(seen),
    clips: pairs.length,
  };
}
