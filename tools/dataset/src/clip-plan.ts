import { LABELS } from './labels.ts';
import type { Random } from './random.ts';
import type { SceneKind, ScenePlan } from './scene.ts';

/** Clips that share a round have every label once as their first one. */
export const CLIPS_PER_ROUND = LABELS.length;
const PAIRS_PER_ROUND = 4;
/** Clips of each round whose sound and picture disagree; the first four rounds, the headline set, hold six. */
const DISAGREEING_BY_ROUND = [2, 1, 1, 2];
const DISAGREEING_LATER = 1;

/**
 * What each clip shows, in an order whose every prefix is about stratified. Second labels are those with the fewest clips
 * so far.
 */
export function planClips(rounds: number, random: Random): ScenePlan[] {
  const counts = new Map(LABELS.map((label) => [label, 0]));
  const count = (label: string): number => counts.get(label) ?? 0;
  return Array.from({ length: rounds }, (_, round): ScenePlan[] => {
    const kinds = random.shuffled(roundKinds(round));
    return random.shuffled(LABELS).map((first, at): ScenePlan => {
      const kind = kinds[at] ?? 'single';
      const others = random.shuffled(LABELS.filter((label) => label !== first)).sort((a, b) => count(a) - count(b));
      const labels = kind === 'single' ? [first] : [first, ...others.slice(0, 1)];
      for (const label of labels) counts.set(label, count(label) + 1);
      return { kind, labels: kind === 'disagree' ? random.shuffled(labels) : labels, augment: true };
    });
  }).flat();
}

function roundKinds(round: number): SceneKind[] {
  const disagreeing = DISAGREEING_BY_ROUND[round] ?? DISAGREEING_LATER;
  const paired = PAIRS_PER_ROUND + disagreeing;
  return LABELS.map((_, at) => (at < PAIRS_PER_ROUND ? 'pair' : at < paired ? 'disagree' : 'single'));
}
