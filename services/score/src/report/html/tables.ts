import type { CandidateCounts, Report, ThreatModelResult, VictimReport } from '@faultline/report';
import { seriesColour } from './curve-chart.ts';
import { budgetText, count, criticalText, decibels, duration, percent, ratio, short, threatText } from './figures.ts';
import { type Markup, markup } from './markup.ts';

function heatCell(share: number, text: string, beside: readonly string[] = []): Markup {
  const under = beside.map((line) => markup`<span class="beside">${line}</span>`);
  return markup`<td class="heat" style="--share: ${share.toFixed(3)}">${text}${under}</td>`;
}

function victimHead(victim: VictimReport, index: number): Markup {
  return markup`<th scope="row"><span class="swatch" style="background: ${seriesColour(index)}"></span>${victim.name}</th>`;
}

function resultOf(victim: VictimReport, threatModel: string): ThreatModelResult | undefined {
  return victim.threatModels.find((one) => one.threatModel === threatModel);
}

function scoreCell(result: ThreatModelResult | undefined): Markup {
  if (result === undefined) return markup`<td>–</td>`;
  const { headline, censoring, assessment } = result;
  const { interval, robustnessScore } = headline;
  if (robustnessScore === null) return markup`<td><span class="fired">withheld</span></td>`;
  const mark = `${censoring === 'none' ? '' : ' *'}${assessment.verdict === 'remedied' ? ' †' : ''}`;
  const under = [
    ...(interval === null ? [] : [`${interval.low.toFixed(2)}–${interval.high.toFixed(2)}`]),
    `ε½ ${criticalText(headline, result)}`,
  ];
  return heatCell(robustnessScore, `${ratio(robustnessScore)}${mark}`, under);
}

/** The headline: what a variant costs, how well it hears and sees, and how much it takes to deactivate it. */
export function tradeOffTable(report: Report): Markup {
  const models = report.campaign.threatModels;
  const totalMs = (victim: string): number =>
    report.timings.attacks.filter((one) => one.victim === victim).reduce((sum, one) => sum + one.totalMs, 0);
  return markup`<div class="scroll"><table>
  <caption>Robustness score R in [0, 1] for each threat model (larger is more robust), its 95 % interval, and ε½, the budget that deactivates half of the clips.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">parameters</th><th scope="col">MACs</th><th scope="col">clean mAP</th><th scope="col">clean accuracy</th>
  ${models.map((model) => markup`<th scope="col">R<span class="beside">${model.name}</span></th>`)}<th scope="col">time</th></tr></thead>
  <tbody>${report.victims.map(
    (
      victim,
      index,
    ) => markup`<tr>${victimHead(victim, index)}<td>${count(victim.parameters)}</td><td>${count(victim.macs)}</td><td>${ratio(victim.clean.meanAveragePrecision)}</td><td>${percent(victim.clean.accuracy)}</td>
  ${models.map((model) => scoreCell(resultOf(victim, model.name)))}<td>${duration(totalMs(victim.name))}</td></tr>`,
  )}</tbody></table></div>
  <p class="soft small">Budgets are in the variable's own unit; where several variables are attacked at once, s scales all of them.
  * the ladder does not span 90 % to 10 % of the clean figure: R depends on where it ends. † the attacks failed for reasons of their own, and a remedy found the budgets.
  withheld: they failed, and no remedy is to be believed; the reasons are under <a href="#assessment">What the scores are worth</a>.</p>`;
}

/** The ladder of one threat model: every budget, every victim, noise beside it. */
export function ladderTable(report: Report, threatModel: string): Markup {
  const results = report.victims.map((victim) => resultOf(victim, threatModel));
  const first = results.find((result) => result !== undefined);
  if (first === undefined) return markup``;
  if (first.ladder.length === 0) return quantileTable(report, threatModel, first);
  return markup`<h3>${threatText(first)} <span class="soft">(${threatModel})</span></h3>
<div class="scroll"><table>
  <caption>Robust deactivation accuracy at each budget; small: equal-norm random noise, the best of its distributions and draws.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">clean</th>${first.ladder.map((row) => markup`<th scope="col">${budgetText(row.scale, first)}</th>`)}<th scope="col">paired R</th><th scope="col">flags</th></tr></thead>
  <tbody>${report.victims.map((victim, index) => {
    const result = results[index];
    if (result === undefined) return markup``;
    return markup`<tr>${victimHead(victim, index)}${heatCell(result.cleanAccuracy, percent(result.cleanAccuracy))}${result.ladder.map(
      (row) => heatCell(row.robustAccuracy, percent(row.robustAccuracy), [percent(row.noiseAccuracy)]),
    )}<td>${ratio(result.paired?.robustnessScore ?? null)}<span class="beside">${result.paired === null ? '' : `${result.paired.clips} clips`}</span></td><td>${flagsText(result)}</td></tr>`;
  })}</tbody></table></div>
${fullStepTable(report, threatModel)}`;
}

/** How large a rung's perturbations were, of each variable. */
function sizesText({ variables }: ThreatModelResult, measured: CandidateCounts['measured'] | undefined): string[] {
  return variables.flatMap(({ variable, kind }) => {
    const size = measured?.[variable];
    if (size === undefined) return [];
    const level = `${kind === 'frames' ? 'PSNR' : 'SNR'} ${decibels(size.medianDecibels)}`;
    const loudness = size.medianLoudness === null ? '' : `, ${size.medianLoudness.toFixed(1)} LKFS`;
    return [`${variable} ${short(size.max)}, ${level}${loudness}`];
  });
}

/** Critical budgets of a search: below which a share of the clips is. */
function quantileTable(report: Report, threatModel: string, first: ThreatModelResult): Markup {
  return markup`<h3>${threatText(first)} <span class="soft">(${threatModel})</span></h3>
<div class="scroll"><table>
  <caption>Critical budgets, searched up to ${budgetText(first.limit, first)}: this share of the clips needs no more. Clips that have the goal when clean need 0.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">clean</th>${first.quantiles.map(({ share }) => markup`<th scope="col">${percent(share)}</th>`)}<th scope="col">noise, 50 %</th><th scope="col">left</th><th scope="col">paired R</th><th scope="col">flags</th></tr></thead>
  <tbody>${report.victims.map((victim, index) => {
    const result = resultOf(victim, threatModel);
    if (result === undefined) return markup``;
    const isWithheld = result.assessment.verdict === 'withheld';
    const scaleText = (scale: number | null) =>
      isWithheld ? 'withheld' : criticalText({ medianCriticalScale: scale }, result);
    const left = result.criticals.filter(({ critical }) => critical === null).length / result.criticals.length;
    return markup`<tr>${victimHead(victim, index)}${heatCell(result.cleanAccuracy, percent(result.cleanAccuracy))}${result.quantiles.map(
      ({ scale }) => markup`<td>${scaleText(scale)}</td>`,
    )}<td>${criticalText(result.noise, result)}</td>${heatCell(left, percent(left))}<td>${ratio(result.paired?.robustnessScore ?? null)}</td><td>${flagsText(result)}</td></tr>`;
  })}</tbody></table></div>`;
}

function flagsText({ flags }: ThreatModelResult): Markup | string {
  return flags.length === 0 ? '–' : markup`<span class="fired">${flags.length}</span>`;
}

/** mAP, AUC, d' and the measured size of what was done, at the budgets where all steps were made on all clips. */
function fullStepTable(report: Report, threatModel: string): Markup {
  const rows = report.victims.flatMap((victim, index) => {
    const result = resultOf(victim, threatModel);
    return (result?.ladder ?? []).flatMap((row, at) => {
      const { ranking } = row;
      if (result === undefined || ranking === null) return [];
      const sizes = result.attacks.flatMap(({ rungs }) => sizesText(result, rungs[at]?.measured));
      return [
        markup`<tr>${victimHead(victim, index)}<td>${budgetText(row.scale, result)}</td><td>${ratio(victim.clean.meanAveragePrecision)}</td><td>${ratio(ranking.meanAveragePrecision)}<span class="beside">noise ${ratio(row.noiseRanking?.meanAveragePrecision ?? null)}</span></td><td>${ratio(ranking.areaUnderCurve)}</td><td>${ratio(ranking.dPrime)}</td><td>${sizes.join('; ')}</td></tr>`,
      ];
    });
  });
  if (rows.length === 0) return markup``;
  return markup`<div class="scroll"><table>
  <caption>Robust ranking figures: all clips, all steps, no early stop. Last column: largest measured norm and median level of the perturbation.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">budget</th><th scope="col">clean mAP</th><th scope="col">robust mAP</th><th scope="col">AUC</th><th scope="col">d′</th><th scope="col">measured</th></tr></thead>
  <tbody>${rows}</tbody></table></div>`;
}

/** Clean figures, and whether the victims really fuse. */
export function cleanTable(report: Report): Markup {
  return markup`<div class="scroll"><table>
  <caption>Clean figures on ${report.campaign.clipSet.clips.length} clips; right: mAP when one modality is taken from another clip of disjoint labels. A victim that fuses loses both ways.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">mAP</th><th scope="col">AUC</th><th scope="col">d′</th><th scope="col">accuracy</th><th scope="col">other sound</th><th scope="col">other frames</th></tr></thead>
  <tbody>${report.victims.map(
    (victim, index) =>
      markup`<tr>${victimHead(victim, index)}<td>${ratio(victim.clean.meanAveragePrecision)}</td><td>${ratio(victim.clean.areaUnderCurve)}</td><td>${ratio(victim.clean.dPrime)}${victim.clean.dPrimeBounded ? ' †' : ''}</td><td>${percent(victim.clean.accuracy)}</td><td>${ratio(victim.fusionCheck?.audioSwapped ?? null)}</td><td>${ratio(victim.fusionCheck?.framesSwapped ?? null)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** Whether the attacks worked: what was seen of their failure, and what was done about it. Sound results are one line. */
export function assessmentTable({ victims }: Report): Markup {
  const all = victims.flatMap((victim, index) => victim.threatModels.map((result) => ({ victim, index, result })));
  const told = all.filter(({ result }) => result.assessment.verdict !== 'sound');
  const sound = all.length - told.length;
  const line = markup`<p>Sound: ${sound} of ${all.length} results. Nothing that the attacks told, no noise, no other attack, no point made against another victim and no probe of the gradients speaks against them.</p>`;
  if (told.length === 0) return line;
  return markup`${line}<div class="scroll"><table>
  <caption>The other results, and the clips that show each sign, of those whose evidence tells.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">threat model</th><th scope="col">verdict</th><th scope="col">signs</th><th scope="col">reason</th></tr></thead>
  <tbody>${told.map(({ victim, index, result: { threatModel, assessment } }) => {
    const signs = assessment.findings.map(({ indicator, clips, of }) => `${indicator} ${clips}/${of}`);
    return markup`<tr>${victimHead(victim, index)}<td>${threatModel}</td><td>${assessment.verdict}</td><td>${signs.length === 0 ? '–' : signs.join(', ')}</td><td>${assessment.reason}</td></tr>`;
  })}</tbody></table></div>`;
}

/** What became of the best examples as media files; nothing where no files were asked for. */
export function writeBackTable({ victims }: Report): Markup {
  const rows = victims.flatMap((victim, index) =>
    victim.threatModels.flatMap(({ threatModel, writeBack }) =>
      (writeBack ?? []).map((one) => {
        const left = one.variables.map(
          ({ variable, medianKept, medianDecibels, belowStep }) =>
            `${variable}: ${percent(medianKept)} kept, ${decibels(medianDecibels)}${belowStep > 0 ? `, ${belowStep} below a step` : ''}`,
        );
        return markup`<tr>${victimHead(victim, index)}<td>${threatModel}</td><td>${one.form}</td><td>${one.written}</td><td>${one.survived}</td><td>${one.lost}</td><td>${one.vanished}</td><td>${one.formAlone}</td><td>${one.medianBitRate === null ? '–' : `${count(one.medianBitRate)}bit/s`}</td><td>${left.join('; ')}</td></tr>`;
      }),
    ),
  );
  if (rows.length === 0) return markup``;
  return markup`<h2 id="files">As media files</h2>
<div class="scroll"><table>
  <caption>Each clip's best verified example, written as a media file of the victim's own size and rates, read back and predicted again. Lost: the file does not reach the goal. Vanished: no change is as large as a step of a file, 1/255 of a pixel or 1/32768 of an amplitude. Form alone: the clean clip in this form reaches the goal by itself. Kept: changed values that stay changed on the file's grid; dB: what decoding leaves of the perturbation.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">threat model</th><th scope="col">form</th><th scope="col">examples</th><th scope="col">survived</th><th scope="col">lost</th><th scope="col">vanished</th><th scope="col">form alone</th><th scope="col">bit rate</th><th scope="col">what is left</th></tr></thead>
  <tbody>${rows}</tbody></table></div>`;
}

/** Which differences between victims are more than chance. */
export function comparisonTable({ comparisons, uncompared }: Report): Markup {
  return markup`<div class="scroll"><table>
  <caption>Difference of robustness scores R, paired over clips: above 0, the first victim is more robust. p: two-sided bootstrap over independence groups, corrected for all ${comparisons.length} comparisons by Holm's method; small: each by itself.</caption>
  <thead><tr><th scope="col">threat model</th><th scope="col">first</th><th scope="col">second</th><th scope="col">difference</th><th scope="col">p (Holm)</th></tr></thead>
  <tbody>${comparisons.map(
    (one) =>
      markup`<tr><th scope="row">${one.threatModel}</th><td>${one.first}</td><td>${one.second}</td><td>${one.difference.toFixed(3)}<span class="beside">${one.interval.low.toFixed(3)} to ${one.interval.high.toFixed(3)}</span></td><td>${one.pHolm.toFixed(4)}<span class="beside">${one.pValue.toFixed(4)}</span></td></tr>`,
  )}</tbody></table></div>
  ${uncompared.length === 0 ? '' : markup`<p>Left out, as their scores are withheld: ${uncompared.map(({ victim, threatModel }) => `${victim} under ${threatModel}`).join(', ')}.</p>`}
  <p class="soft small">These are comparisons of the trained victims at hand: a claim on their fusion needs several training seeds that agree.</p>`;
}
