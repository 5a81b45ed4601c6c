import type { ExampleEvidence } from '@faultline/attack-algorithms';
import type { ClipEvidence } from '@faultline/attack-algorithms/sanity';
import type { attack } from '@faultline/contracts';
import { type AttackRecord, bestSuccesses } from '../judge/attack-result.ts';
import { attackReport, searches } from '../planning/planned-attacks.ts';

/** Everything that tells whether the attacks on one victim under one threat model worked. */
export interface AttackEvidence {
  readonly attacks: readonly AttackRecord[];
  readonly noises: readonly AttackRecord[];
  /** Scales of the ladder; empty: attacks search. */
  readonly scales: readonly number[];
  /** By clip: the smallest scale at which points made against another victim reach the goal. */
  readonly transferred: ReadonlyMap<number, number>;
  /** Whether the largest budget lets every value of every variable cross its range. */
  readonly isUnbounded: boolean;
}

/** Whether an attack follows gradients, so that their masking is its failure. */
export const followsGradients = ({ attack }: AttackRecord): boolean => attackReport(attack).knowledge === 'gradients';

/** Smallest verified scale of each clip over attacks; clips without one are not in it. */
export function smallestScales(records: readonly AttackRecord[]): ReadonlyMap<number, number> {
  return new Map(bestSuccesses(records.flatMap(({ verified }) => verified)).map(({ clip, scale }) => [clip, scale]));
}

/** What is known of the attacks on one clip. */
export function clipEvidence(evidence: AttackEvidence, clip: number): ClipEvidence {
  const { attacks, noises, transferred, isUnbounded } = evidence;
  const seeing = attacks.filter(followsGradients);
  const blind = attacks.filter((one) => !followsGradients(one));
  const told = (records: readonly AttackRecord[]) =>
    records.length === 0 ? undefined : onLadder(evidence, seeing, smallestScales(records).get(clip));
  const attackScale = told(seeing) ?? Number.POSITIVE_INFINITY;
  return {
    loops: seeing
      .flatMap((record) => record.evidence.filter((one) => one.clip === clip).map(loopOf))
      .filter(hasGradients),
    refuted: seeing.some(({ verified }) => verified.some((one) => one.clip === clip && one.refuted)),
    scales: {
      attack: attackScale,
      noise: told(noises),
      blackBox: told(blind),
      transfer: transferred.has(clip) ? onLadder(evidence, seeing, transferred.get(clip)) : undefined,
    },
    unbounded: isUnbounded ? Number.isFinite(attackScale) : undefined,
  };
}

/** Attacks on a ladder know its scales alone: what others find between them counts as the next one. Infinity where nothing was found. */
function onLadder(
  { scales }: AttackEvidence,
  seeing: readonly AttackRecord[],
  scale = Number.POSITIVE_INFINITY,
): number {
  if (scales.length === 0 || seeing.some(({ attack }) => searches(attack))) return scale;
  return scales.find((rung) => rung >= scale) ?? Number.POSITIVE_INFINITY;
}

/** Members of an ensemble that ask for no gradients do not say how those fare. */
const hasGradients = ({ gradients }: ExampleEvidence) => gradients.size > 0;

function loopOf(one: attack.ExampleEvidence): ExampleEvidence {
  const { reachedRestart, reachedStep, gradients, ...same } = one;
  return {
    ...same,
    reached: reachedRestart === undefined ? undefined : { restart: reachedRestart, step: reachedStep ?? 0 },
    gradients: new Map(gradients.map(({ variable, ...counts }) => [variable, counts])),
  };
}
