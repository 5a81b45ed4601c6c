import type {
  AttackReport,
  DomainName,
  GoalReport,
  NormName,
  RobustnessSummary,
  ThreatModelResult,
  VariableReport,
} from '@faultline/report';

// How numbers are written in the page.

/** Where there is no figure. */
export const NONE = '–';

/** "0.123"; an en dash where there is none. */
export function ratio(value: number | null): string {
  return value === null ? NONE : value.toFixed(3);
}

/** "12 %" */
export function percent(value: number | null): string {
  return value === null ? NONE : `${Math.round(100 * value)} %`;
}

const SIGNIFICANT_DIGITS = 3;
const LARGEST_PLAIN = 1e5;

/** Three significant digits without an exponent where that is short. */
export function short(value: number): string {
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= LARGEST_PLAIN || size < 1e-5) return value.toExponential(1);
  return String(Number(value.toPrecision(SIGNIFICANT_DIGITS)));
}

/** "1.2 M", "345 k" */
export function count(value: number): string {
  if (value >= 1e6) return `${short(value / 1e6)} M`;
  if (value >= 1e3) return `${short(value / 1e3)} k`;
  return String(value);
}

export function decibels(value: number | null): string {
  return value === null ? NONE : `${value.toFixed(1)} dB`;
}

const SECONDS_PER_MINUTE = 60;

export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < SECONDS_PER_MINUTE) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / SECONDS_PER_MINUTE)} min ${Math.round(seconds % SECONDS_PER_MINUTE)} s`;
}

export const NORM_TEXT: Readonly<Record<NormName, string>> = { linf: 'L∞', l2: 'L2', l1: 'L1', l0: 'L0' };

/** "sound", "picture" */
export function variableText(variable: Pick<VariableReport, 'kind' | 'variable'>): string {
  return variable.variable;
}

/** "L2 per frame", "L∞ weighted by masking" */
export const measureText = ({ norm, perFrame, relative, weighting }: VariableReport): string =>
  `${NORM_TEXT[norm]}${relative ? ' relative' : ''}${perFrame ? ' per frame' : ''}${weighting === null ? '' : ` weighted by ${weighting}`}`;

/** "top 3", "fabricate one: siren"; empty where every true label is to be deactivated. */
export function goalText({ kind, label, k }: GoalReport): string {
  if (kind === 'deactivate all') return '';
  return (k === null ? kind : `top ${k}`) + (label === null ? '' : `: ${label}`);
}

/** What the results are of, where it is not a signal; empty where it is. */
const domainText = (domain: DomainName): string => (domain === 'signal' ? '' : `${domain}, not realisable media`);

/** "L∞ on waveform + frames"; of norms of their own "L2 per frame on waveform + L∞ on frames"; with the goal where it is another than to deactivate. */
export function threatText(
  result: Pick<ThreatModelResult, 'variables' | 'goal'> & Partial<Pick<ThreatModelResult, 'domain'>>,
): string {
  // Universal perturbations are of inputs alone.
  const { variables, goal, domain = 'signal' } = result;
  const measures = variables.map((variable) => `${measureText(variable)} on `);
  const alike = measures.every((measure) => measure === measures[0]);
  const told = variables.map((one, index) => `${alike && index > 0 ? '' : measures[index]}${variableText(one)}`);
  return [told.join(' + '), goalText(goal), domainText(domain)].filter(Boolean).join('; ');
}

const counted = (value: number, noun: string) => `${value} ${noun}${value === 1 ? '' : 's'}`;

/** "pgd, 20 steps, 2 restarts, loss=ce" */
export function attackText(report: AttackReport): string {
  const { name, attack, form, knowledge, steps, restarts, surrogate, parameters } = report;
  return [
    name === attack ? attack : `${name}: ${attack}`,
    ...(surrogate === null ? [] : [`from ${surrogate}`]),
    ...(form === 'search' ? ['search'] : []),
    ...(knowledge === 'gradients' || surrogate !== null ? [counted(steps, 'step')] : []),
    ...(restarts > 1 ? [counted(restarts, 'restart')] : []),
    ...Object.entries(parameters).map(([parameter, value]) => `${parameter}=${value}`),
  ].join(', ');
}

/** A budget as people read it: the epsilon where one variable is attacked, else the scale. */
export function budgetText(scale: number, result: Pick<ThreatModelResult, 'variables'>): string {
  const [only, ...others] = result.variables;
  if (only === undefined || others.length > 0) return `s = ${short(scale)}`;
  return short(scale * only.rho);
}

/** Median critical budget, "> E" where fewer than half of the clips were reached. */
export function criticalText(
  { medianCriticalScale }: Pick<RobustnessSummary, 'medianCriticalScale'>,
  result: Pick<ThreatModelResult, 'limit' | 'variables'>,
): string {
  return medianCriticalScale === null
    ? `> ${budgetText(result.limit, result)}`
    : budgetText(medianCriticalScale, result);
}
