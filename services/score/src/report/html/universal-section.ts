import type { Report, UniversalFigures, UniversalModelReport, UniversalResult, UniversalRung } from '@faultline/report';
import { attackText, NONE, percent, ratio, short, threatText } from './figures.ts';
import { type Markup, markup } from './markup.ts';

const norms = (by: Readonly<Record<string, number>>): string =>
  Object.entries(by)
    .map(([variable, norm]) => `${variable} ${short(norm)}`)
    .join(', ');

function cell({ robustAccuracy, interval }: UniversalFigures): Markup {
  const range = interval === null ? '' : `${percent(interval.low)} to ${percent(interval.high)}`;
  return markup`<td>${percent(robustAccuracy)}<span class="beside">${range}</span></td>`;
}

function row(victim: string, rung: UniversalRung): Markup {
  const { epsilons, norms: reached, applied, attack, noise, rejection } = rung;
  return markup`<tr><th scope="row">${victim}</th><td>${norms(epsilons)}</td><td>${norms(reached)}${rejection === null ? '' : markup` <strong>${rejection}</strong>`}</td><td>${norms(applied)}</td>${cell(attack)}${cell(noise)}<td>${attack.success === null ? NONE : percent(attack.success)}<span class="beside">${percent(noise.success)}</span></td><td>${ratio(attack.ranking.meanAveragePrecision)}<span class="beside">${ratio(noise.ranking.meanAveragePrecision)}</span></td></tr>`;
}

function caption(model: UniversalModelReport, results: readonly UniversalResult[]): string {
  const [first] = results;
  if (first === undefined) return model.name;
  const source =
    'stratum' in model.craft ? `stratum ${model.craft.stratum}` : `${percent(model.craft.share)} of the groups`;
  const left = first.leftOut === 0 ? '' : `, ${first.leftOut} left out as they share a source with both`;
  return `${model.name}: ${threatText(first)}; ${attackText(model.attack)}; ${first.form}. Crafted on ${first.crafted.length} clips (${source}), tested on ${first.tested.length}${left}.`;
}

/** One perturbation for all clips: a table a threat model; nothing where none was asked for. */
export function universalSection(report: Report): Markup | string {
  const { universals } = report.campaign;
  if (universals.length === 0) return '';
  return markup`<h2 id="universal">One perturbation for all clips</h2>
<p class="soft">Crafted on some clips, tested on clips of other sources by fresh predictions. Robust accuracy: share of the test clips that stay recognised; beside it random noise of the norm that was reached. The accumulating form (legacy) is not held to its budget: its norm is what counts. Small: 95 % intervals over independence groups; of success and mAP the noise.</p>
${universals.map((model) => {
  const results = report.victims.flatMap(({ name, universals: own }) =>
    own.filter(({ threatModel }) => threatModel === model.name).map((result) => ({ name, result })),
  );
  return markup`<div class="scroll"><table>
  <caption>${caption(
    model,
    results.map(({ result }) => result),
  )}</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">budget</th><th scope="col">norm reached</th><th scope="col">applied, at most</th><th scope="col">robust accuracy</th><th scope="col">of equal noise</th><th scope="col">success</th><th scope="col">mAP</th></tr></thead>
  <tbody>${results.map(({ name, result }) => [
    markup`<tr><th scope="row">${name}</th><td>clean</td><td>${NONE}</td><td>${NONE}</td>${cell(result.clean)}<td>${NONE}</td><td>${NONE}</td><td>${ratio(result.clean.ranking.meanAveragePrecision)}</td></tr>`,
    ...result.rungs.map((rung) => row(name, rung)),
  ])}</tbody></table></div>`;
})}`;
}
