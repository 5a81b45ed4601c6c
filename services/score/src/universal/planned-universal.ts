import { attack } from '@faultline/contracts';
import type { UniversalModelReport } from '@faultline/report';
import { goalReport } from '../judge/goal.ts';
import { normName } from '../judge/names.ts';
import { attackReport, type PlannedAttack, plannedThreatModel } from '../planning/planned-attacks.ts';
import type { Report } from '../planning/violations.ts';
import { DEFAULT_SHARE, type Split, type SplitClip, splitClips } from './split-clips.ts';

/** A threat model of one perturbation for all clips, and which clips craft and test. */
export interface PlannedUniversal {
  /** With its seed. */
  readonly model: attack.ThreatModel;
  readonly planned: PlannedAttack;
  /** strict: in its budget; legacy: the accumulating form, whose norm counts. */
  readonly form: 'strict' | 'legacy';
  /** Positions in the campaign's clips. */
  readonly split: Split;
}

/** Whether a threat model asks for one perturbation for all clips. */
export function isUniversal(model: attack.ThreatModel, catalogue: readonly attack.AttackDescription[]): boolean {
  const { ATTACK_KIND_UNIVERSAL } = attack.AttackKind;
  return catalogue.find(({ name }) => name === model.attack)?.kind === ATTACK_KIND_UNIVERSAL;
}

/** What universal perturbations cannot do: search, stop early, begin anew, or share a ledger of clips. */
export function checkUniversal(model: attack.ThreatModel, path: string, report: Report): void {
  const { rungs, restarts, furtherAttacks, craft } = model;
  if (rungs.length === 0) report(`${path}.rungs`, 'is empty; one perturbation for all clips needs budgets');
  for (const [index, { stopping }] of rungs.entries()) {
    if (stopping === attack.Stopping.STOPPING_NEVER) continue;
    report(`${path}.rungs[${index}].stopping`, 'stops early; one perturbation is for all clips: give STOPPING_NEVER');
  }
  if (restarts !== 1) report(`${path}.restarts`, `is ${restarts}; a universal perturbation begins at zero: give 1`);
  if (furtherAttacks.length > 0) {
    report(`${path}.furtherAttacks`, 'judge each clip by itself; put them under a threat model of their own');
  }
  const choice = craft?.choice;
  if (choice?.$case === 'share' && !(choice.value > 0 && choice.value < 1)) {
    report(`${path}.craft.share`, `is ${choice.value}; give a share of the groups above 0 and below 1`);
  }
}

/** Plans a universal threat model on these clips; a side without clips is reported. */
export function plannedUniversal(
  model: attack.ThreatModel,
  path: string,
  catalogue: readonly attack.AttackDescription[],
  clips: readonly SplitClip[],
  report: Report,
): PlannedUniversal[] {
  const split = splitClips(clips, model.craft?.choice, model.seed);
  const left = split.leftOut.length === 0 ? '' : ` (${split.leftOut.length} share a source with both sides)`;
  for (const side of ['craft', 'test'] as const) {
    if (split[side].length > 0) continue;
    report(
      `${path}.craft`,
      `leaves no clip to ${side} with, of ${clips.length}${left}; choose more clips, or another split`,
    );
  }
  const form = model.parameters.find(({ name }) => name === 'form')?.value;
  const isLegacy = form?.$case === 'choice' && form.value === 'legacy';
  return plannedThreatModel(model, catalogue).attacks.map((planned) => ({
    model: planned.model,
    planned,
    form: isLegacy ? 'legacy' : 'strict',
    split,
  }));
}

/** A universal threat model as reports describe it. */
export function universalModelReport({ model, planned }: PlannedUniversal): UniversalModelReport {
  const choice = model.craft?.choice;
  return {
    name: model.name,
    norm: normName(model.norm),
    goal: goalReport(model.goal),
    attack: attackReport(planned),
    craft: choice?.$case === 'stratum' ? { stratum: choice.value } : { share: choice?.value ?? DEFAULT_SHARE },
    seed: model.seed,
    scales: model.rungs.map(({ scale }) => scale),
  };
}
