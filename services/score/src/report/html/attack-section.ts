import type { AttackReport, AttackResult, Report, ThreatModelResult, VictimReport } from '@faultline/report';
import { courseChart, type ShownCourse } from './course-chart.ts';
import { seriesColour } from './curve-chart.ts';
import { attackText, budgetText, count, criticalText, percent, ratio, threatText } from './figures.ts';
import { type Markup, markup } from './markup.ts';

interface Judged {
  readonly victim: VictimReport;
  readonly index: number;
  readonly result: ThreatModelResult;
}

/** The rung whose courses are shown: the middle one of those that do all steps, or of all; null of a search. */
function shownRung({ ladder }: ThreatModelResult, { form }: AttackReport): number | null {
  if (form === 'search') return null;
  const complete = [...ladder.keys()].filter((rung) => ladder[rung]?.stopping === 'never');
  const rungs = complete.length > 0 ? complete : [...ladder.keys()];
  return rungs[Math.floor((rungs.length - 1) / 2)] ?? null;
}

function attackOf({ result }: Judged, { name }: AttackReport): AttackResult | undefined {
  return result.attacks.find((one) => one.name === name);
}

function chartOf(judged: readonly Judged[], attack: AttackReport, first: ThreatModelResult): Markup {
  const rung = shownRung(first, attack);
  const courses = judged.flatMap((one): ShownCourse[] => {
    const course = attackOf(one, attack)?.evidence?.courses.find((other) => other.rung === rung);
    return course === undefined || course.points.length === 0 ? [] : [{ course, index: one.index }];
  });
  if (courses.length === 0) return markup``;
  const scale = first.ladder[rung ?? -1]?.scale;
  const where = scale === undefined ? 'search' : `at ${budgetText(scale, first)}`;
  return courseChart(markup`${attackText(attack)} <span class="soft">${where}</span>`, courses);
}

function attackRow({ victim, index, result }: Judged, attack: AttackResult): Markup {
  const { evidence, collateral, summary, cost } = attack;
  const zeros = evidence?.gradients.map(({ variable, zeroShare }) => `${variable} ${percent(zeroShare)}`) ?? [];
  const refuted = attack.search?.refuted ?? attack.rungs.reduce((sum, rung) => sum + rung.refuted, 0);
  const shifts = heldOutText(attack);
  return markup`<tr><th scope="row"><span class="swatch" style="background: ${seriesColour(index)}"></span>${victim.name}</th><td>${attack.name}${shifts}</td><td>${ratio(summary.robustnessScore)}</td><td>${criticalText(summary, result)}</td><td>${count(cost.forwardExamples)}<span class="beside">${count(cost.gradientExamples)} gradients</span></td><td>${evidence === null ? '–' : percent(evidence.rises)}</td><td>${zeros.length === 0 ? '–' : zeros.join(', ')}</td><td>${evidence === null ? '–' : evidence.silentSuccesses}<span class="beside">${refuted} refuted</span></td><td>${collateral.turnedOff} off, ${collateral.turnedOn} on<span class="beside">${collateral.changed} of ${collateral.clips} clips</span></td></tr>`;
}

/** What an attack over shifted onsets left at onsets that it had not drawn, over all its successes. */
function heldOutText({ rungs, search }: AttackResult): Markup {
  const tried = [...rungs, ...(search === null ? [] : [search])].flatMap(({ heldOutShifts }) => heldOutShifts ?? []);
  const successes = tried.reduce((sum, one) => sum + one.successes, 0);
  if (successes === 0) return markup``;
  const share = tried.reduce((sum, one) => sum + one.share * one.successes, 0) / successes;
  return markup`<span class="beside">${percent(share)} at held-out shifts</span>`;
}

/** Each attack and each noise of a threat model by itself: its own figures, what its loops told, and what else it switched. */
export function attackSection(report: Report, threatModel: string): Markup {
  const judged = report.victims.flatMap((victim, index): Judged[] => {
    const result = victim.threatModels.find((one) => one.threatModel === threatModel);
    return result === undefined ? [] : [{ victim, index, result }];
  });
  const first = judged[0]?.result;
  if (first === undefined) return markup``;
  const rows = judged.flatMap((one) =>
    [...one.result.attacks, ...one.result.noises].map((attack) => attackRow(one, attack)),
  );
  return markup`<h3>${threatText(first)} <span class="soft">(${threatModel})</span></h3>
<div class="charts">${first.attacks.map((attack) => chartOf(judged, attack, first))}</div>
<details><summary>Figures of each attack</summary><div class="scroll"><table>
  <caption>Each attack by its own successes. Rising: points whose margin was above that of the one before. Zero gradients: in every coordinate of the variable. Silent: reached on the path, and nothing that came back does. Collateral: other labels that crossed their thresholds.</caption>
  <thead><tr><th scope="col">victim</th><th scope="col">attack</th><th scope="col">R</th><th scope="col">ε½</th><th scope="col">evaluations</th><th scope="col">rising</th><th scope="col">zero gradients</th><th scope="col">silent</th><th scope="col">collateral</th></tr></thead>
  <tbody>${rows}</tbody></table></div></details>`;
}
