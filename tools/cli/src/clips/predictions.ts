import type { score } from '@faultline/contracts';

/** A label's logit, and how far it is above its threshold. */
export interface LabelReading {
  readonly label: string;
  readonly logit: number;
  readonly threshold: number;
  /** logit - threshold; the label is active where it is at or above 0. */
  readonly margin: number;
}

/** What a victim makes of a clip. */
export interface Prediction {
  readonly clip: string;
  /** Active labels, the highest margin first. */
  readonly active: readonly string[];
  /** All labels, the highest margin first. */
  readonly labels: readonly LabelReading[];
}

export interface VictimPredictions {
  readonly victim: string;
  readonly modelSha256: string;
  readonly predictions: readonly Prediction[];
}

export interface PredictedClip {
  readonly clip: string;
  /** Of its media. */
  readonly sha256: string;
  /** True labels; empty: not known. */
  readonly labels: readonly string[];
}

/** What `faultline predict --json` prints. */
export interface Predictions {
  readonly clips: readonly PredictedClip[];
  readonly victims: readonly VictimPredictions[];
}

/** Puts together the answers about parts of the clips, in their order. */
export function joinPredictions(parts: readonly score.PredictResponse[]): Predictions {
  const clips = parts.flatMap((part) => part.clips.map(({ name, sha256, labels }) => ({ clip: name, sha256, labels })));
  const byVictim = Map.groupBy(
    parts.flatMap((part) => part.victims),
    ({ victim }) => victim,
  );
  const victims = Array.from(byVictim, ([victim, answers]) => ({
    victim,
    modelSha256: answers[0]?.modelSha256 ?? '',
    predictions: answers.flatMap(({ labels, predictions }) => predictions.map((one) => readings(one, labels))),
  }));
  return { clips, victims };
}

function readings(
  { clip, logits, activeLabels }: score.ClipPrediction,
  thresholds: score.VictimPredictions['labels'],
): Prediction {
  const labels = thresholds
    .map(({ label, threshold }, index) => {
      const logit = logits[index] ?? Number.NaN;
      return { label, logit, threshold, margin: logit - threshold };
    })
    .sort((a, b) => b.margin - a.margin);
  return { clip, active: activeLabels, labels };
}
