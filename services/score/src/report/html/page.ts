import type { Report } from '@faultline/report';
import type { Example } from '../example.ts';
import { attackSection } from './attack-section.ts';
import { type Curve, curveChart, curveLegend } from './curve-chart.ts';
import { exampleSection } from './example-section.ts';
import { attackText, count, duration } from './figures.ts';
import { Markup, markup } from './markup.ts';
import { STYLES } from './styles.ts';
import { assessmentTable, cleanTable, comparisonTable, ladderTable, tradeOffTable, writeBackTable } from './tables.ts';
import { universalSection } from './universal-section.ts';

function curvesOf(report: Report, threatModel: string): Curve[] {
  return report.victims.flatMap((victim) => {
    const result = victim.threatModels.find((one) => one.threatModel === threatModel);
    return result === undefined || result.assessment.verdict === 'withheld' ? [] : [{ victim, result }];
  });
}

/** The curves of a threat model; nothing where the scores of all victims are withheld. */
function chartOf(report: Report, threatModel: string): Markup {
  const curves = curvesOf(report, threatModel);
  return curves.length === 0 ? markup`` : curveChart(curves);
}

/** Flags that say the same are one line that names where they were raised. */
function flagList(report: Report): Markup {
  const raised = report.victims.flatMap((victim) =>
    victim.threatModels.flatMap((result) =>
      result.flags.map((flag) => ({
        message: flag.message,
        victim: victim.name,
        where: flag.code === 'censored' ? result.threatModel : `${result.threatModel} (${flag.count})`,
      })),
    ),
  );
  if (raised.length === 0) {
    return markup`<p>None: no inversion, no refuted or over-budget candidate, every ladder spans the curve, and every attack beats noise.</p>`;
  }
  const lines = Map.groupBy(raised, (flag) => `${flag.victim}: ${flag.message}`);
  return markup`<ul class="flags">${lines
    .entries()
    .map(
      ([line, flags]) =>
        markup`<li>${line}. <span class="soft">${flags.map((flag) => flag.where).join(', ')}</span></li>`,
    )
    .toArray()}</ul>`;
}

function method(report: Report): Markup {
  const { environment: where, campaign } = report;
  const attacks = [
    ...campaign.threatModels.map((model) => ({ ...model, told: [...model.attacks, ...model.noises] })),
    ...campaign.universals.map((model) => ({ ...model, told: [model.attack] })),
  ].map(({ name, told, seed }) => `${name}: ${told.map(attackText).join(' + ')}; seed ${seed}`);
  const cost = report.victims
    .flatMap(({ threatModels, universals }) => [...threatModels, ...universals])
    .reduce((sum, one) => sum + one.cost.attack.gradientExamples, 0);
  return markup`<dl>
<dt>Reached</dt><dd>a goal's margin is below 0, by a fresh forward pass on the final tensors; norms, ranges and regions are checked on these in float64. Budgets over all attacks of a threat model: each clip's smallest</dd>
<dt>Collateral</dt><dd>labels other than the goal's that crossed their thresholds, on the smallest verified perturbation of each clip</dd>
<dt>Deactivated</dt><dd>every true label's logit is below its threshold, by a fresh forward pass on the final tensors; norms are recomputed from them in float64</dd>
<dt>Robust deactivation accuracy</dt><dd>share of clips that no verified attack deactivated at this or a smaller budget; clips that are off when clean count as deactivated at budget 0</dd>
<dt>R</dt><dd>area under that curve up to the ladder's end, between 0 and 1; not divided by clean accuracy</dd>
<dt>Paired R</dt><dd>the same over the clips that every victim gets right when clean</dd>
<dt>Clips</dt><dd>${campaign.clipSet.clips.length} of clip set ${campaign.clipSet.name} ${campaign.clipSet.version}</dd>
${report.victims.map((victim) => markup`<dt>Victim ${victim.name}</dt><dd>${victim.title}; thresholds: ${victim.operatingPoint}; ${victim.runtime}, ${victim.threads} threads; SHA-256 <code>${victim.sha256}</code></dd>`)}
<dt>Attacks</dt><dd>${attacks.join('; ')}</dd>
<dt>Cost</dt><dd>${count(cost)} gradient evaluations, counted by the inference services</dd>
<dt>Where</dt><dd>Node ${where.node}, ${where.platform} ${where.architecture}, ${where.cpus} × ${where.cpuModel}</dd>
<dt>Time</dt><dd>${duration(report.timings.totalMs)} in all, ${duration(report.timings.prepareMs)} of it to extract the clips</dd>
</dl>`;
}

/** What threat models that judge each clip by itself came to, first; nothing where a campaign has none. */
function headline(report: Report, models: readonly string[]): Markup | string {
  if (models.length === 0) return '';
  return markup`<h2 id="trade-off">Trade-off</h2>
${tradeOffTable(report)}
<h2 id="curves">Robustness over the budget</h2>
<p class="soft">Share of clips (%) that no verified attack up to this budget deactivates. Results whose score is withheld have no curve.</p>
${curveLegend(report.victims)}
<div class="charts">${models.map((model) => chartOf(report, model))}</div>
<h2 id="assessment">What the scores are worth</h2>
${assessmentTable(report)}`;
}

/** All about them. */
function details(report: Report, models: readonly string[]): Markup | string {
  if (models.length === 0) return '';
  return markup`<h2 id="flags">Sanity flags</h2>
${flagList(report)}
<h2 id="ladders">All budgets</h2>
${models.map((model) => ladderTable(report, model))}
<h2 id="attacks">How the attacks went</h2>
<p class="soft">What the attacks' own loops told: evidence of whether they worked as they should. Only clips that a fresh prediction confirmed count as reached.</p>
${models.map((model) => attackSection(report, model))}`;
}

/** A campaign's report as one self-contained HTML page. Pure: the same report and examples give the same page. */
export function reportPage(report: Report, examples: readonly Example[]): string {
  const { campaign, run } = report;
  const models = campaign.threatModels.map((model) => model.name);
  const page = markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${campaign.name}: robustness report</title>
<style>${new Markup(STYLES)}</style>
</head>
<body>
<header>
<h1>${campaign.name}</h1>
<p class="soft">How much adversarial noise deactivates ${report.victims.map((victim) => victim.name).join(', ')}. ${campaign.clipSet.clips.length} clips, ${models.length + campaign.universals.length} threat models, seed ${campaign.seed}. Run <code>${run.id}</code>, ${run.endedAt.slice(0, 16).replace('T', ' ')} UTC.</p>
</header>
<main>
${headline(report, models)}
${
  report.comparisons.length === 0
    ? ''
    : markup`<h2 id="comparisons">Victims compared</h2>
${comparisonTable(report)}`
}
${
  examples.length === 0
    ? ''
    : markup`<h2 id="examples">One clip, clean and attacked</h2>
<p class="soft">The smallest verified budget, for each victim.</p>
${examples.map(exampleSection)}`
}
${writeBackTable(report)}
${universalSection(report)}
<h2 id="clean">Clean figures and fusion check</h2>
${cleanTable(report)}
${details(report, models)}
<h2 id="method">Method</h2>
${method(report)}
</main>
<footer><p class="small">Figures: report.json beside this page${run.traceId === '' ? '' : markup`; trace <code>${run.traceId}</code>`}.</p></footer>
</body>
</html>
`;
  return page.text;
}
