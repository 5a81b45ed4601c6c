import type { LadderRow, ThreatModelResult, VictimReport } from '@faultline/report';
import { budgetText, NORM_TEXT, percent, short, threatText } from './figures.ts';
import { type Markup, markup } from './markup.ts';
import { SERIES_COLOURS } from './styles.ts';

/** One victim's curve under a threat model. */
export interface Curve {
  readonly victim: VictimReport;
  readonly result: ThreatModelResult;
}

const WIDTH = 360;
const HEIGHT = 250;
const LEFT = 40;
const RIGHT = 22;
const TOP = 14;
const BOTTOM = 52;
/** Where the clean figure stands: left of the logarithmic axis, which has no zero. */
const CLEAN_GAP = 60;
/** Whiskers of different victims stand beside each other. */
const WHISKER_STEP = 3;
const Y_TICKS = [0, 0.25, 0.5, 0.75, 1];

/** Marker shapes, so that lines can be told apart without colours. */
const MARKERS: readonly ((x: number, y: number) => string)[] = [
  (x, y) => `M${x - 3.5},${y}a3.5,3.5 0 1,0 7,0a3.5,3.5 0 1,0 -7,0`,
  (x, y) => `M${x - 3.2},${y - 3.2}h6.4v6.4h-6.4z`,
  (x, y) => `M${x},${y - 4.2}l4,7h-8z`,
  (x, y) => `M${x},${y - 4.4}l4.4,4.4l-4.4,4.4l-4.4,-4.4z`,
];

export function seriesColour(index: number): string {
  return `var(--series-${index % SERIES_COLOURS})`;
}

function marker(index: number, x: number, y: number): Markup {
  const draw = MARKERS[index % MARKERS.length] ?? MARKERS[0];
  return markup`<path d="${draw?.(x, y) ?? ''}" fill="${seriesColour(index)}"/>`;
}

interface Axes {
  readonly x: (scale: number) => number;
  readonly y: (share: number) => number;
  readonly cleanX: number;
}

function axesOf(scales: readonly number[]): Axes {
  const first = Math.log(scales.at(0) ?? 1);
  const last = Math.log(scales.at(-1) ?? 1);
  const start = LEFT + CLEAN_GAP;
  const width = WIDTH - RIGHT - start;
  return {
    x: (scale) => (last > first ? start + (width * (Math.log(scale) - first)) / (last - first) : start + width / 2),
    y: (share) => TOP + (1 - share) * (HEIGHT - TOP - BOTTOM),
    cleanX: LEFT + 12,
  };
}

function polyline(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
}

function curveMarkup(curve: Curve, index: number, total: number, rows: readonly LadderRow[], axes: Axes): Markup {
  const colour = seriesColour(index);
  const clean: [number, number] = [axes.cleanX, axes.y(curve.victim.clean.accuracy)];
  const points = rows.map((row): [number, number] => [axes.x(row.scale), axes.y(row.robustAccuracy)]);
  const noise = rows.map((row): [number, number] => [axes.x(row.scale), axes.y(row.noise.robustAccuracy)]);
  const shift = (index - (total - 1) / 2) * WHISKER_STEP;
  const whiskers = rows.flatMap(({ scale, interval }) =>
    interval === null
      ? []
      : markup`<line x1="${axes.x(scale) + shift}" x2="${axes.x(scale) + shift}" y1="${axes.y(interval.low)}" y2="${axes.y(interval.high)}" stroke="${colour}" stroke-opacity=".45" stroke-width="1.5"/>`,
  );
  return markup`<g>
    ${whiskers}
    <polyline points="${polyline(noise)}" fill="none" stroke="${colour}" stroke-width="1.5" stroke-dasharray="2 4" stroke-linecap="round"/>
    <polyline points="${polyline([clean, ...points.slice(0, 1)])}" fill="none" stroke="${colour}" stroke-width="1" stroke-opacity=".4"/>
    <polyline points="${polyline(points)}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"/>
    ${[clean, ...points].map(([x, y]) => marker(index, x, y))}
  </g>`;
}

/** Rungs whose labels do not run into each other: every one, or every second. */
function labelled(rows: readonly LadderRow[], axes: Axes): readonly LadderRow[] {
  const least = 34;
  const kept: LadderRow[] = [];
  for (const row of rows) {
    const previous = kept.at(-1);
    if (previous === undefined || axes.x(row.scale) - axes.x(previous.scale) >= least) kept.push(row);
  }
  return kept;
}

function axisTitle(result: ThreatModelResult): string {
  const [only, ...others] = result.variables;
  if (only !== undefined && others.length === 0) {
    return `budget ε (${NORM_TEXT[only.norm]}${only.perFrame ? ' per frame' : ''}, ${only.unit})`;
  }
  const parts = result.variables.map(({ variable, rho }) => `${variable} ${short(rho)} s`);
  return `scale s (ε: ${parts.join(', ')})`;
}

/**
 * Robust deactivation accuracy over the budget, one line a victim, its equal-norm noise dotted; logarithmic budget axis with
 * the clean figure left of it.
 * @param curves one a victim, all of the same threat model; at least one.
 */
export function curveChart(curves: readonly Curve[]): Markup {
  const result = curves[0]?.result;
  if (result === undefined) throw new RangeError('a chart needs at least one curve');
  const rowsOf = (curve: Curve) => curve.result.ladder.filter((row) => row.scale > 0);
  const rows = curves[0] === undefined ? [] : rowsOf(curves[0]);
  const axes = axesOf(rows.map((row) => row.scale));
  const floor = axes.y(0);
  const described = curves.map(
    ({ victim, result: own }) =>
      `${victim.name}: clean ${percent(victim.clean.accuracy)}, ${own.ladder
        .map((row) => `${budgetText(row.scale, own)}: ${percent(row.robustAccuracy)}`)
        .join(', ')}`,
  );
  return markup`<figure>
  <figcaption>${threatText(result)} <span class="soft">(${result.threatModel})</span></figcaption>
  <svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Robust deactivation accuracy over the budget. ${described.join('. ')}">
    ${Y_TICKS.map(
      (share) =>
        markup`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${axes.y(share)}" y2="${axes.y(share)}"/><text x="${LEFT - 6}" y="${axes.y(share) + 4}" text-anchor="end">${100 * share}</text>`,
    )}
    <line class="axis" x1="${LEFT + CLEAN_GAP - 18}" x2="${WIDTH - RIGHT}" y1="${floor}" y2="${floor}"/>
    <text x="${axes.cleanX}" y="${floor + 16}" text-anchor="middle">clean</text>
    ${rows.map((row) => markup`<line class="axis" x1="${axes.x(row.scale)}" x2="${axes.x(row.scale)}" y1="${floor}" y2="${floor + 4}"/>`)}
    ${labelled(rows, axes).map(
      (row) =>
        markup`<text x="${axes.x(row.scale)}" y="${floor + 16}" text-anchor="middle">${budgetText(row.scale, result).replace('s = ', '')}</text>`,
    )}
    <text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${axisTitle(result)}</text>
    ${curves.map((curve, index) => curveMarkup(curve, index, curves.length, rowsOf(curve), axes))}
  </svg>
</figure>`;
}

/** What the lines mean. */
export function curveLegend(victims: readonly VictimReport[]): Markup {
  return markup`<div class="legend">${victims.map(
    (victim, index) =>
      markup`<span><svg viewBox="0 0 34 12" aria-hidden="true"><line x1="0" x2="34" y1="6" y2="6" stroke="${seriesColour(index)}" stroke-width="2"/>${marker(index, 17, 6)}</svg>${victim.name}</span>`,
  )}<span><svg viewBox="0 0 34 12" aria-hidden="true"><line x1="0" x2="34" y1="6" y2="6" stroke="currentColor" stroke-width="1.5" stroke-dasharray="2 4" stroke-linecap="round"/></svg>equal-norm random noise</span><span class="soft">bars: 95 % interval</span></div>`;
}
