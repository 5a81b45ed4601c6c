import type { AttackReport, Report, ThreatModelReport, TradeOffRow } from '@faultline/report';
import { budget, count, duration, percent, ratio } from './figures.ts';
import { type Column, textColumn, textTable } from './text-table.ts';

/** The trade-off table: a block a threat model, a line a victim. */
export function tradeOffTable(report: Report): string[] {
  const { clipSet, threatModels } = report.campaign;
  const lines = [
    `${report.campaign.name}: ${clipSet.clips.length} clips of ${clipSet.name} ${clipSet.version}, seed ${report.campaign.seed}, ${duration(report.timings.totalMs)}`,
    '',
    ...cleanTable(report),
  ];
  for (const threatModel of threatModels) lines.push('', ...threatModelTable(report, threatModel));
  lines.push(...assessmentLines(report), ...writeBackLines(report));
  return threatModels.length === 0 ? lines : [...lines, '', ...LEGEND];
}

const LEGEND = [
  'RA: robust deactivation accuracy, % of clips that no verified attack switched off; mAP: robust mAP, %. Each is',
  'attack/noise: the attack, and random noise of the same norm. median: smallest budget that switches half of the clips off.',
  'R: robustness score, mean of RA from 0 to the largest budget. * a flag: see the report.',
  'Noise: the best of its distributions, of as many draws as the attack has restarts. Of searches: the budget that so many % of the clips need.',
];

/** What speaks against results, and what was done about it; nothing where all are sound. */
function assessmentLines({ victims, uncompared, comparisons }: Report): string[] {
  const told = victims.flatMap(({ name, threatModels }) =>
    threatModels
      .filter(({ assessment: { verdict } }) => verdict === 'withheld' || verdict === 'remedied')
      .map(({ threatModel, assessment: { verdict, reason } }) => `${name}, ${threatModel}: ${verdict}: ${reason}`),
  );
  const left = uncompared.map(({ victim, threatModel }) => `${victim} under ${threatModel}`);
  if (told.length === 0) return [];
  const missing = left.length > 0 && comparisons.length > 0 ? [`not compared, as withheld: ${left.join(', ')}`] : [];
  return [
    '',
    '+ from a remedy, as the attacks failed for reasons of their own; withheld: no remedy is to be believed',
    ...told,
    ...missing,
  ];
}

/** What became of the examples as media files; nothing where no files were asked for. */
function writeBackLines({ victims }: Report): string[] {
  const rows = victims.flatMap(({ name, threatModels }) =>
    threatModels.flatMap(({ threatModel, writeBack }) =>
      (writeBack ?? []).map((one) => [
        name,
        threatModel,
        one.form,
        ...[one.written, one.survived, one.lost, one.vanished, one.formAlone].map(String),
        one.medianBitRate === null ? '-' : (one.medianBitRate / BITS_PER_KILOBIT).toFixed(1),
        one.variables
          .flatMap(({ variable, belowStep }) => (belowStep > 0 ? [`${variable} ${belowStep}`] : []))
          .join(', ') || '-',
      ]),
    ),
  );
  if (rows.length === 0) return [];
  const columns: Column[] = [
    ...['variant', 'threat model', 'form'].map(textColumn),
    ...['examples', 'survived', 'lost', 'vanished', 'form alone', 'kbit/s'].map((title) => ({ title })),
    textColumn('budget below a step'),
  ];
  return [
    '',
    'best verified examples as media files, read and predicted again',
    ...textTable(columns, rows),
    'form alone: the clean clip in this form is off by itself. vanished: no change is as large as a step of a file, 1/255 of a pixel or 1/32768 of an amplitude.',
  ];
}

const BITS_PER_KILOBIT = 1000;

/** Clean figures of each victim. */
function cleanTable({ victims }: Report): string[] {
  return textTable(
    [
      { title: 'variant', align: 'left' },
      { title: 'parameters' },
      { title: 'MACs' },
      { title: 'clean mAP' },
      { title: 'AUC' },
      { title: "d'" },
      { title: 'on, %' },
      { title: 'mAP, sound swapped' },
      { title: 'mAP, frames swapped' },
    ],
    victims.map(({ name, parameters, macs, clean, fusionCheck }) => [
      name,
      count(parameters),
      count(macs),
      ratio(clean.meanAveragePrecision),
      ratio(clean.areaUnderCurve),
      clean.dPrime === null ? '-' : clean.dPrime.toFixed(2),
      percent(clean.accuracy),
      ratio(fusionCheck?.audioSwapped ?? null),
      ratio(fusionCheck?.framesSwapped ?? null),
    ]),
  );
}

function threatModelTable(report: Report, threatModel: ThreatModelReport): string[] {
  const { name, norm, variables, rungs, attacks, goal } = threatModel;
  const [only, ...others] = variables;
  // One variable: the budgets themselves. Several: the scale s, with each variable's budget at s = 1 beside the name.
  const unit = only !== undefined && others.length === 0 ? only.rho : 1;
  const symbol = unit === 1 && others.length > 0 ? 's' : 'eps';
  const joint =
    others.length > 0 ? `, s x ${variables.map(({ variable, rho }) => `${variable} ${budget(rho)}`).join(', ')}` : '';
  const rows = report.tradeOff.filter((row) => row.threatModel === name);
  const middle = rungs.length === 0 ? searchColumns(rows, unit) : ladderColumns(threatModel, unit, symbol);
  const columns: Column[] = [
    { title: 'variant', align: 'left' },
    { title: 'parameters' },
    { title: 'MACs' },
    { title: 'clean mAP' },
    ...middle.columns,
    { title: 'R' },
    { title: 'time' },
  ];
  const lines = rows.map((row) => [
    row.victim + (row.flags > 0 ? '*' : ''),
    count(row.parameters),
    count(row.macs),
    ratio(row.cleanMap),
    ...middle.cells(row),
    row.verdict === 'withheld' ? 'withheld' : ratio(row.robustnessScore) + (row.verdict === 'remedied' ? '+' : ''),
    duration(timeOf(report, row)),
  ]);
  const told = [goal.kind, goal.label ?? goal.k].filter((part) => part !== null).join(' ');
  const aim = goal.kind === 'deactivate all' ? '' : `; goal: ${told}`;
  const domain = rows[0]?.domain ?? 'signal';
  const label = domain === 'signal' ? '' : `; ${domain}, not realisable media`;
  return [
    `${name} (${norm}${joint}; ${attacks.map(attackText).join(' + ')}${aim}${label})`,
    ...textTable(columns, lines),
  ];
}

/** Columns of a block that depend on what was measured, and their cells in a row. */
interface Middle {
  readonly columns: readonly Column[];
  cells(row: TradeOffRow): string[];
}

function ladderColumns({ rungs }: ThreatModelReport, unit: number, symbol: string): Middle {
  return {
    columns: [
      ...rungs.map(({ scale }) => ({ title: `RA ${budget(scale * unit)}` })),
      ...rungs
        .filter(({ stopping }) => stopping === 'never')
        .map(({ scale }) => ({ title: `mAP ${budget(scale * unit)}` })),
      { title: `median ${symbol}` },
    ],
    cells: (row) => [
      ...row.ladder.map(({ robustAccuracy, noiseAccuracy }) => `${percent(robustAccuracy)}/${percent(noiseAccuracy)}`),
      ...row.ladder
        .filter(({ robustMap }) => robustMap !== null)
        .map(({ robustMap, noiseMap }) => `${percent(robustMap)}/${percent(noiseMap)}`),
      row.verdict === 'withheld' ? '-' : scaleText(row.medianCriticalScale, row, unit),
    ],
  };
}

/** Of a search: the budgets that these shares of the clips need, and what half of them need of noise. */
function searchColumns([first]: readonly TradeOffRow[], unit: number): Middle {
  const shares = first?.quantiles.map(({ share }) => ({ title: `${percent(share)} %` })) ?? [];
  return {
    columns: [{ title: 'on, %' }, ...shares, { title: 'noise 50 %' }],
    cells: (row) => [
      percent(row.cleanAccuracy),
      ...row.quantiles.map(({ scale }) => (row.verdict === 'withheld' ? '-' : scaleText(scale, row, unit))),
      scaleText(row.noiseMedian, row, unit),
    ],
  };
}

function attackText({ name, attack, form, knowledge, steps, restarts, surrogate }: AttackReport): string {
  return [
    name === attack ? attack : `${name}: ${attack}`,
    ...(surrogate === null ? [] : [`from ${surrogate}`]),
    ...(form === 'search' ? ['search'] : []),
    ...(knowledge === 'gradients' || surrogate !== null ? [`${steps} steps`] : []),
    ...(restarts > 1 ? [`${restarts} restarts`] : []),
  ].join(', ');
}

const scaleText = (scale: number | null, { limit }: TradeOffRow, unit: number): string =>
  scale === null ? `> ${budget(limit * unit)}` : budget(scale * unit);

function timeOf({ timings }: Report, { victim, threatModel }: TradeOffRow): number {
  const timing = timings.attacks.find((entry) => entry.victim === victim && entry.threatModel === threatModel);
  return timing?.totalMs ?? 0;
}
