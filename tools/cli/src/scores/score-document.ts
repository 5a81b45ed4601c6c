import type { score } from '@faultline/contracts';
import type { ScoredClips } from './score-clips.ts';

/** What `faultline attack --json` prints, and scores.json holds. */
export function scoreDocument({ threatModel, scores, universals, summary }: ScoredClips, seed: number) {
  const {
    name,
    attack,
    norm,
    variables,
    ladder,
    maxScale = null,
    steps,
    restarts,
    parameters,
    craft = null,
    surrogate = null,
  } = threatModel;
  return {
    threatModel: {
      name,
      attack,
      norm,
      variables,
      /** Empty: a search, up to maxScale where there is one. */
      scales: ladder?.early ?? ladder?.never ?? [],
      maxScale,
      steps,
      restarts,
      parameters,
      craft,
      surrogate,
      seed,
    },
    clips: summary.clips.map(({ name, sha256, labels }) => ({ clip: name, sha256, labels })),
    scores,
    /** One perturbation for all clips, by victim. */
    universals,
    complete: summary.complete,
    shortfall: summary.shortfall,
    cost: { attack: costOf(summary.attackCost), verification: costOf(summary.verificationCost) },
  };
}

const costOf = (cost: score.ScoreSummary['attackCost']) => ({
  forwardExamples: cost?.forwardExamples ?? 0,
  gradientExamples: cost?.gradientExamples ?? 0,
});
