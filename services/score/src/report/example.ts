import type { attack, victim } from '@faultline/contracts';
import type { CleanPhase } from '../campaign/clean-phase.ts';
import type { KeptExample } from '../campaign/example-keeper.ts';
import { toFloat32 } from '../peers/tensor-rows.ts';

/** One input of an example, clean and attacked; equal where the attack may not change it. */
export interface ExampleInput {
  readonly specification: victim.InputSpecification;
  readonly dims: readonly number[];
  readonly clean: Float32Array;
  readonly attacked: Float32Array;
}

/** A label's logit above its threshold, clean and attacked. */
export interface ExampleLabel {
  readonly label: string;
  readonly isTrue: boolean;
  readonly cleanMargin: number;
  readonly attackedMargin: number;
}

/** One clip clean and attacked, to look at and listen to. */
export interface Example {
  readonly victim: string;
  readonly clipId: string;
  readonly threatModel: string;
  readonly scale: number;
  readonly epsilons: Readonly<Record<string, number>>;
  readonly labels: readonly ExampleLabel[];
  readonly inputs: readonly ExampleInput[];
}

/** Puts together what shows a kept adversarial point. */
export function exampleOf(phase: CleanPhase, threatModel: attack.ThreatModel, kept: KeptExample): Example {
  const clip = phase.clips[kept.clip];
  if (clip === undefined) throw new RangeError(`no clip ${kept.clip}`);
  const width = phase.run.labels;
  return {
    victim: kept.victim,
    clipId: clip.id,
    threatModel: threatModel.name,
    scale: kept.scale,
    epsilons: Object.fromEntries(threatModel.variables.map(({ variable, rho }) => [variable, kept.scale * rho])),
    labels: phase.victim.card.labels.map(({ label, threshold }, index) => ({
      label,
      isTrue: clip.labels.includes(label),
      cleanMargin: (phase.run.logits[kept.clip * width + index] ?? Number.NaN) - threshold,
      attackedMargin: (kept.verified.logits?.[index] ?? Number.NaN) - threshold,
    })),
    inputs: phase.victim.card.inputs.flatMap((specification) => {
      const row = clip.inputs.get(specification.name);
      if (row === undefined) return [];
      const clean = toFloat32(row.data);
      return [
        { specification, dims: row.dims, clean, attacked: kept.candidate.adversarial.get(specification.name) ?? clean },
      ];
    }),
  };
}
