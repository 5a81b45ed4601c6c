import type { victim } from '@faultline/contracts';
import { require } from './card-error.ts';

/** @throws CardError when a measured figure of a card is out of its range, or speaks of labels that the card does not have. */
export function checkFigures(card: victim.Card, labels: readonly string[]): void {
  for (const [index, metrics] of card.metrics.entries()) checkMetrics(metrics, labels, `metrics[${index}]`);
  if (card.seedSpread !== undefined) checkSpread(card.seedSpread);
  for (const [index, figure] of card.robustness.entries()) checkRobustness(figure, card, `robustness[${index}]`);
}

function checkShare(value: number | undefined, field: string): void {
  require(value === undefined || (value >= 0 && value <= 1), field, `is ${value}; give a number in [0, 1]`);
}

function checkMetrics(metrics: victim.CleanMetrics, labels: readonly string[], field: string): void {
  checkShare(metrics.meanAveragePrecision, `${field}.meanAveragePrecision`);
  checkShare(metrics.areaUnderCurve, `${field}.areaUnderCurve`);
  checkShare(metrics.otherSoundPrecision, `${field}.otherSoundPrecision`);
  checkShare(metrics.otherPicturesPrecision, `${field}.otherPicturesPrecision`);
  const told = metrics.labels.map(({ label }) => label);
  require(told.length === 0 ||
    told.join('\n') === labels.join('\n'), `${field}.labels`, 'are not the labels of the card in their order');
  for (const { label, averagePrecision } of metrics.labels) {
    checkShare(averagePrecision, `${field}.labels[${label}].averagePrecision`);
  }
  for (const { style, meanAveragePrecision } of metrics.styles) {
    checkShare(meanAveragePrecision, `${field}.styles[${style}].meanAveragePrecision`);
  }
}

function checkSpread({ seeds, meanAveragePrecisions, mean, standardDeviation }: victim.SeedSpread): void {
  require(new Set(seeds).size === seeds.length, 'seedSpread.seeds', 'names a seed twice');
  require(seeds.length >= 2, 'seedSpread.seeds', `names ${seeds.length}; a spread needs at least 2`);
  require(meanAveragePrecisions.length ===
    seeds.length, 'seedSpread.meanAveragePrecisions', `holds ${meanAveragePrecisions.length} figures of ${seeds.length} seeds`);
  for (const figure of meanAveragePrecisions) checkShare(figure, 'seedSpread.meanAveragePrecisions');
  checkShare(mean, 'seedSpread.mean');
  require(standardDeviation >= 0, 'seedSpread.standardDeviation', `is ${standardDeviation}; give 0 or more`);
}

function checkRobustness(figure: victim.RobustnessFigure, card: victim.Card, field: string): void {
  require(figure.clips > 0, `${field}.clips`, `is ${figure.clips}; give the number of clips`);
  require(figure.budgets.length > 0, `${field}.budgets`, 'is empty; name what was attacked');
  for (const { variable, epsilon } of figure.budgets) {
    const known = card.inputs.some(({ name }) => name === variable);
    require(known, `${field}.budgets`, `name '${variable}', which is no input of the card`);
    require(epsilon > 0, `${field}.budgets`, `give '${variable}' ${epsilon}; give a number above 0`);
  }
  for (const [name, share] of Object.entries({ clean: figure.clean, attacked: figure.attacked, noise: figure.noise })) {
    if (share === undefined) continue;
    const ordered = share.low <= share.share && share.share <= share.high;
    checkShare(share.share, `${field}.${name}.share`);
    require(ordered, `${field}.${name}`, `is ${share.share}, outside its interval [${share.low}, ${share.high}]`);
  }
}
