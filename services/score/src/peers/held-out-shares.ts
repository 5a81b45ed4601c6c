import { askedShifts, heldOutShifts, shiftSound } from '@faultline/attack-algorithms';
import type { attack } from '@faultline/contracts';
import type { CostReport } from '@faultline/report';
import { goalMargin } from '../judge/goal.ts';
import type { AttackedClip } from './attack-batch.ts';
import { NO_COST, predictClips } from './predict-clips.ts';
import type { Services } from './services.ts';
import { type ClipInputs, toFloat32 } from './tensor-rows.ts';
import { isReached, type VictimUnderTest } from './victim-under-test.ts';

/** A verified success. */
export interface Success {
  readonly clip: AttackedClip;
  /** All inputs, as the attack left them. */
  readonly point: ClipInputs;
}

/**
 * For each success, the share of held-out onsets at which it still is one, by fresh predictions: every sound among the variables begins earlier or later by the
 * same number of samples. Undefined where the threat model asks for no shifts.
 */
export async function heldOutShares(
  services: Services,
  victim: VictimUnderTest,
  threatModel: attack.ThreatModel,
  successes: readonly Success[],
  signal: AbortSignal,
): Promise<{ readonly shares: readonly number[] | undefined; readonly cost: CostReport }> {
  const asked = askedShifts(threatModel);
  if (asked === undefined) return { shares: undefined, cost: NO_COST };
  const attacked = new Set(threatModel.variables.map(({ variable }) => variable));
  const sounds = victim.card.inputs.filter(({ name, kind }) => kind?.$case === 'waveform' && attacked.has(name));
  const [first] = sounds;
  const shiftsOf = ({ clip, point }: Success) =>
    first === undefined ? [] : heldOutShifts(clip.sha256, asked, point.get(first.name)?.data.length ?? 0);
  const points = successes.flatMap((success) =>
    shiftsOf(success).map((shift): ClipInputs => {
      const shifted = new Map(success.point);
      for (const { name } of sounds) {
        const row = success.point.get(name);
        if (row !== undefined) shifted.set(name, { ...row, data: shiftSound(toFloat32(row.data), shift, asked.fill) });
      }
      return shifted;
    }),
  );
  const { logits, cost } = await predictClips(services, victim, points, signal);
  const onsets = points.length / Math.max(1, successes.length);
  const shares = successes.map(({ clip }, index) => {
    const own = logits.slice(index * onsets, (index + 1) * onsets);
    const held = own.filter((row) => isReached(victim, goalMargin(victim, threatModel.goal, row, clip.labels)));
    return held.length / onsets;
  });
  return { shares, cost };
}
