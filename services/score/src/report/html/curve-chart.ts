import type { ThreatModelResult, VictimReport } from '@faultline/report';
import { budgetText, criticalText, measureText, percent, short, threatText } from './figures.ts';
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

export function marker(index: number, x: number, y: number): Markup {
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

export function polyline(points: readonly (readonly [number, number])[]): string {
  return points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join(' ');
}

/** One point of the curve: a rung, or where a search's curve falls. */
interface Point {
  readonly scale: number;
  readonly share: number;
}

/** Falling staircase of a search: share of clips whose critical scale is larger, wherever it changes, up to the limit. */
function staircase(criticals: readonly (number | null)[], limit: number): Point[] {
  const beyond = (scale: number) =>
    criticals.filter((critical) => critical === null || critical > scale).length / criticals.length;
  const falls = [...new Set(criticals.filter((critical) => critical !== null && critical > 0))].sort(
    (a, b) => (a ?? 0) - (b ?? 0),
  );
  let share = beyond(0);
  const points = falls.flatMap((critical): Point[] => {
    const scale = critical ?? limit;
    const before = { scale, share };
    share = beyond(scale);
    return [before, { scale, share }];
  });
  return [...points, { scale: limit, share }];
}

/** The attack's curve and that of noise; `rungs` are the points that were measured, empty of a search. */
function linesOf({ ladder, criticals, noiseCriticals, limit }: ThreatModelResult) {
  const rungs = ladder.filter((row) => row.scale > 0);
  if (ladder.length === 0) {
    const attacked = staircase(
      criticals.map(({ critical }) => critical),
      limit,
    );
    return { rungs, attacked, noise: staircase(noiseCriticals, limit) };
  }
  return {
    rungs,
    attacked: rungs.map(({ scale, robustAccuracy: share }) => ({ scale, share })),
    noise: rungs.map(({ scale, noiseAccuracy: share }) => ({ scale, share })),
  };
}

function curveMarkup({ result }: Curve, index: number, total: number, axes: Axes): Markup {
  const colour = seriesColour(index);
  const { rungs, attacked, noise } = linesOf(result);
  const at = ({ scale, share }: Point): [number, number] => [axes.x(scale), axes.y(share)];
  const clean: [number, number] = [axes.cleanX, axes.y(result.cleanAccuracy)];
  const points = attacked.map(at);
  const shift = (index - (total - 1) / 2) * WHISKER_STEP;
  const whiskers = rungs.flatMap(({ scale, interval }) =>
    interval === null
      ? []
      : markup`<line x1="${axes.x(scale) + shift}" x2="${axes.x(scale) + shift}" y1="${axes.y(interval.low)}" y2="${axes.y(interval.high)}" stroke="${colour}" stroke-opacity=".45" stroke-width="1.5"/>`,
  );
  const marked = rungs.length === 0 ? [clean, ...points.slice(-1)] : [clean, ...points];
  return markup`<g>
    ${whiskers}
    <polyline points="${polyline(noise.map(at))}" fill="none" stroke="${colour}" stroke-width="1.5" stroke-dasharray="2 4" stroke-linecap="round"/>
    <polyline points="${polyline([clean, ...points.slice(0, 1)])}" fill="none" stroke="${colour}" stroke-width="1" stroke-opacity=".4"/>
    <polyline points="${polyline(points)}" fill="none" stroke="${colour}" stroke-width="2" stroke-linejoin="round"/>
    ${marked.map(([x, y]) => marker(index, x, y))}
  </g>`;
}

/** Ticks of a search's axis, which has no rungs. */
const SEARCH_TICKS = 5;

/** Scales that the axis names: those of the ladder; of a search some from the smallest critical one to the limit, a constant factor apart. */
function ticksOf(curves: readonly Curve[]): number[] {
  const ladder = curves[0]?.result.ladder.filter(({ scale }) => scale > 0).map(({ scale }) => scale) ?? [];
  if (ladder.length > 0) return ladder;
  const limit = curves[0]?.result.limit ?? 1;
  const scales = curves.flatMap(({ result }) => linesOf(result).attacked.map(({ scale }) => scale));
  const first = Math.min(limit / 10, ...scales);
  return Array.from({ length: SEARCH_TICKS }, (_, tick) => first * (limit / first) ** (tick / (SEARCH_TICKS - 1)));
}

/** Ticks whose labels do not run into each other: every one, or every second. */
function labelled(scales: readonly number[], axes: Axes): readonly number[] {
  const least = 34;
  const kept: number[] = [];
  for (const scale of scales) {
    const previous = kept.at(-1);
    if (previous === undefined || axes.x(scale) - axes.x(previous) >= least) kept.push(scale);
  }
  return kept;
}

function axisTitle(result: ThreatModelResult): string {
  const [only, ...others] = result.variables;
  if (only !== undefined && others.length === 0) {
    return `budget ε (${measureText(only)}, ${only.unit})`;
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
  const ticks = ticksOf(curves);
  const axes = axesOf(ticks);
  const floor = axes.y(0);
  const described = curves.map(
    ({ victim, result: own }) =>
      `${victim.name}: clean ${percent(own.cleanAccuracy)}, ${
        own.ladder.length === 0
          ? `half of the clips reached at ${criticalText(own.headline, own)}`
          : own.ladder.map((row) => `${budgetText(row.scale, own)}: ${percent(row.robustAccuracy)}`).join(', ')
      }`,
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
    ${ticks.map((scale) => markup`<line class="axis" x1="${axes.x(scale)}" x2="${axes.x(scale)}" y1="${floor}" y2="${floor + 4}"/>`)}
    ${labelled(ticks, axes).map(
      (scale) =>
        markup`<text x="${axes.x(scale)}" y="${floor + 16}" text-anchor="middle">${budgetText(scale, result).replace('s = ', '')}</text>`,
    )}
    <text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle">${axisTitle(result)}</text>
    ${curves.map((curve, index) => curveMarkup(curve, index, curves.length, axes))}
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
