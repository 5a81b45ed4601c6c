import type { attack } from '@faultline/contracts';
import type { CostReport } from '@faultline/report';
import { type Candidate, inspectCandidate } from '../judge/inspect.ts';
import { judgeCandidate, type Verified } from '../judge/verified.ts';
import type { AttackedClip } from './attack-batch.ts';
import { heldOutShares } from './held-out-shares.ts';
import { addCosts, predictClips } from './predict-clips.ts';
import type { Services } from './services.ts';
import type { ClipInputs } from './tensor-rows.ts';
import type { VictimUnderTest } from './victim-under-test.ts';

/** A candidate's inputs and taps: its adversarial variables, everything else clean. */
function attackedPoint({ inputs, taps = new Map() }: AttackedClip, candidate: Candidate): ClipInputs {
  return new Map(
    [...inputs, ...taps].map(([name, row]) => {
      const data = candidate.adversarial.get(name);
      return [name, data === undefined ? row : { dims: row.dims, data }];
    }),
  );
}

const cleanPoint = ({ inputs, taps = new Map() }: AttackedClip): ClipInputs => new Map([...inputs, ...taps]);

export interface Verification {
  /** In the order of the candidates. */
  readonly verified: readonly Verified[];
  readonly cost: CostReport;
}

/** Judges candidates by what their tensors are: float64 norms against the budget, then a fresh forward pass of the victim; and, of attacks over shifts, on onsets that they did not draw. */
export async function verifyBatch(
  services: Services,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  batch: readonly AttackedClip[],
  candidates: readonly Candidate[],
  signal: AbortSignal,
): Promise<Verification> {
  const clips = new Map(batch.map((clip) => [clip.index, clip]));
  const inspected = candidates.map((candidate) => {
    const clip = clips.get(candidate.clip);
    if (clip === undefined) throw new RangeError(`clip ${candidate.clip} is not in this batch`);
    return { candidate, clip, inspection: inspectCandidate(candidate, cleanPoint(clip), threatModel, victim) };
  });
  const accepted = inspected.filter(({ inspection }) => inspection.rejection === undefined);
  const points = accepted.map(({ clip, candidate }) => attackedPoint(clip, candidate));
  const { logits, cost } = await predictClips(services, victim, points, signal);
  const logitsOf = new Map(accepted.map(({ candidate }, index) => [candidate, logits[index]]));
  const verified = inspected.map(({ candidate, clip, inspection }) =>
    judgeCandidate(candidate, inspection, logitsOf.get(candidate), clip.labels, victim, threatModel.goal),
  );
  const reached = verified.flatMap((one, index) => {
    const { clip, candidate } = inspected[index] ?? {};
    if (one.verdict !== 'reached' || clip === undefined || candidate === undefined) return [];
    return [{ one, clip, point: attackedPoint(clip, candidate) }];
  });
  const shifted = await heldOutShares(services, victim, threatModel, reached, signal);
  const shares = new Map(reached.map(({ one }, index) => [one, shifted.shares?.[index]]));
  return {
    verified: verified.map((one) => {
      const heldOutShare = shares.get(one);
      return heldOutShare === undefined ? one : { ...one, heldOutShare };
    }),
    cost: addCosts(cost, shifted.cost),
  };
}
