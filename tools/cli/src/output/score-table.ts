import type { ClipScoreJson } from '../scores/clip-scores.ts';
import { budget, percent } from './figures.ts';
import { signed } from './prediction-table.ts';
import { type Column, textColumn, textTable } from './text-table.ts';

/**
 * A line a clip and victim: the smallest verified budget that switches the clip off, and how loud that is.
 * @param rhos each variable's budget at scale 1
 */
export function scoreTable(scores: readonly ClipScoreJson[], rhos: Readonly<Record<string, number>>): string[] {
  const variables = Object.entries(rhos).map(([variable, rho]) => ({ variable, rho }));
  const [only, ...others] = variables;
  // One variable: the budgets themselves. Several: the scale s.
  const unit = only !== undefined && others.length === 0 ? only.rho : 1;
  const symbol = others.length === 0 ? 'eps' : 's';
  const areShifted = scores.some(({ heldOutShare }) => heldOutShare !== null);
  const columns: Column[] = [
    textColumn('clip'),
    textColumn('victim'),
    textColumn('labels'),
    { title: 'clean margin' },
    { title: `critical ${symbol}` },
    { title: 'tried without' },
    ...(areShifted ? [{ title: 'held-out' }] : []),
    ...variables.flatMap(({ variable }) => [{ title: `${variable} norm` }, { title: 'dB' }]),
  ];
  const rows = scores.map((score) => [
    score.clip,
    score.victim,
    score.labels.join(', ') + (score.labelSource === 'prediction' ? '*' : ''),
    score.cleanMargin === null ? '-' : signed(score.cleanMargin),
    criticalText(score, unit),
    score.triedWithout === 0 ? '-' : budget(score.triedWithout * unit),
    ...(areShifted ? [score.heldOutShare === null ? '-' : `${percent(score.heldOutShare)} %`] : []),
    ...variables.flatMap(({ variable }) => {
      const found = score.perturbations.find((one) => one.variable === variable);
      if (found === undefined) return ['-', '-'];
      return [budget(found.norm), found.decibels === null ? '-' : found.decibels.toFixed(1)];
    }),
  ]);
  const reasons = scores.flatMap(({ clip, victim, reason }) =>
    reason === '' ? [] : [`${clip}, ${victim}: ${reason}`],
  );
  const remedied = scores.flatMap(({ victim, assessment }) =>
    assessment?.verdict === 'remedied' ? [`+ ${victim}: ${assessment.reason}`] : [],
  );
  return [...textTable(columns, rows), '', ...legend(scores, variables), ...new Set(remedied), ...reasons];
}

function criticalText({ state, criticalScale, limit, assessment }: ClipScoreJson, unit: number): string {
  if (assessment?.verdict === 'withheld') return 'withheld';
  if (state === 'not started') return '-';
  if (criticalScale === null) {
    if (state !== 'finished') return '?';
    return limit > 0 ? `> ${budget(limit * unit)}` : 'none found';
  }
  if (criticalScale === 0) return '0 (off)';
  const figure = budget(criticalScale * unit);
  const mark = assessment?.verdict === 'remedied' ? '+' : '';
  return `${state === 'finished' ? '' : '<= '}${figure}${mark}`;
}

/** What results at taps are not. */
export const FEATURE_SPACE =
  'feature-space: values inside the victim were changed; no sound or picture need exist that has them. Not to be compared with budgets of waveforms or pixels.';

function legend(
  scores: readonly ClipScoreJson[],
  variables: readonly { readonly variable: string; readonly rho: number }[],
): string[] {
  const rho = variables.map(({ variable, rho }) => `${variable} ${budget(rho)}`).join(', ');
  return [
    'critical: smallest budget at which a fresh prediction confirmed that every label is off; 0: off already when clean; > E: none up to E.',
    'tried without: largest smaller budget that found nothing. dB: signal (waveform, taps) or peak (frames) to perturbation.',
    ...(scores.some(({ heldOutShare }) => heldOutShare !== null)
      ? ['held-out: share of shifts of the sound that the attack has not drawn at which the example still does so.']
      : []),
    ...(scores.some(({ domain }) => domain === 'feature-space') ? [FEATURE_SPACE] : []),
    ...(variables.length > 1 ? [`s: multiplies the budgets ${rho}.`] : []),
    ...(scores.some(({ labelSource }) => labelSource === 'prediction')
      ? ['*: what the victim itself predicts, right or wrong, as the clip has no labels; give them with --labels.']
      : []),
  ];
}
