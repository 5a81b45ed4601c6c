import type { Course, Quartiles } from '@faultline/report';
import { polyline, seriesColour } from './curve-chart.ts';
import { short } from './figures.ts';
import { type Markup, markup } from './markup.ts';

/** The course of one attack on one victim; `index` gives its colour. */
export interface ShownCourse {
  readonly course: Course;
  readonly index: number;
}

const WIDTH = 270;
const HEIGHT = 150;
const LEFT = 42;
const RIGHT = 10;
const TOP = 12;
const BOTTOM = 30;

interface Plot {
  readonly title: string;
  readonly x: (step: number) => number;
  readonly y: (value: number) => number;
  readonly ticks: readonly { readonly value: number; readonly text: string }[];
  readonly lastStep: number;
}

const between = (value: number, low: number, high: number) => (high > low ? (value - low) / (high - low) : 0.5);

function plotOf(title: string, courses: readonly ShownCourse[], low: number, high: number, ticks: Plot['ticks']): Plot {
  const lastStep = Math.max(1, ...courses.flatMap(({ course }) => course.points.map(({ step }) => step)));
  return {
    title,
    lastStep,
    ticks,
    x: (step) => LEFT + (WIDTH - LEFT - RIGHT) * between(step, 0, lastStep),
    y: (value) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - between(value, low, high)),
  };
}

function frame({ title, x, y, ticks, lastStep }: Plot, lines: readonly Markup[], description: string): Markup {
  const floor = HEIGHT - BOTTOM;
  return markup`<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}. ${description}">
    ${ticks.map(
      ({ value, text }) =>
        markup`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}"/><text x="${LEFT - 5}" y="${y(value) + 4}" text-anchor="end">${text}</text>`,
    )}
    <line class="axis" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${floor}" y2="${floor}"/>
    <text x="${x(0)}" y="${floor + 14}" text-anchor="middle">0</text><text x="${x(lastStep)}" y="${floor + 14}" text-anchor="end">${lastStep}</text>
    <text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 4}" text-anchor="middle">${title}</text>
    ${lines}
  </svg>`;
}

/** Share of clips (%) reached after so many steps, a line a victim; a dot at the right: after all restarts. */
function reachedPlot(courses: readonly ShownCourse[]): Markup {
  const ticks = [0, 0.5, 1].map((value) => ({ value, text: String(100 * value) }));
  const plot = plotOf('reached, % of clips, by step', courses, 0, 1, ticks);
  const lines = courses.map(({ course, index }) => {
    const colour = seriesColour(index);
    const points = course.points.map(({ step, reached }): [number, number] => [plot.x(step), plot.y(reached)]);
    const end = course.byRestart.at(-1);
    const dot =
      end === undefined || course.byRestart.length < 2
        ? ''
        : markup`<circle cx="${plot.x(plot.lastStep)}" cy="${plot.y(end)}" r="3" fill="${colour}"/>`;
    return markup`<polyline points="${polyline(points)}" fill="none" stroke="${colour}" stroke-width="2"/>${dot}`;
  });
  const described = courses.map(({ course }) => `${Math.round(100 * (course.points.at(-1)?.reached ?? 0))} %`);
  return frame(plot, lines, `At the end: ${described.join(', ')}`);
}

/** Quartiles over clips, a line and a band a victim. */
function quartilePlot(
  title: string,
  courses: readonly ShownCourse[],
  read: (point: Course['points'][number]) => Quartiles | null,
  scaled: (value: number) => number,
): Markup {
  const paths = courses.map(({ course, index }) => ({
    index,
    points: course.points.flatMap((point) => {
      const { low, median, high } = read(point) ?? { low: null, median: null, high: null };
      return low === null || median === null ? [] : [{ step: point.step, low, median, high: high ?? median }];
    }),
  }));
  const values = paths.flatMap(({ points }) => points.flatMap(({ low, high }) => [scaled(low), scaled(high)]));
  if (values.length === 0) return markup``;
  const [lowest, highest] = [Math.min(...values), Math.max(...values)];
  const original = paths.flatMap(({ points }) => points.flatMap(({ low, high }) => [low, high]));
  const ticks = [
    { value: lowest, text: short(Math.min(...original)) },
    { value: highest, text: short(Math.max(...original)) },
    ...(lowest < 0 && highest > 0 && scaled(0) === 0 ? [{ value: 0, text: '0' }] : []),
  ];
  const plot = plotOf(title, courses, lowest, highest, ticks);
  const at = (step: number, value: number): [number, number] => [plot.x(step), plot.y(scaled(value))];
  const lines = paths.map(({ points, index }) => {
    const colour = seriesColour(index);
    const band = [
      ...points.map(({ step, low }) => at(step, low)),
      ...points.toReversed().map(({ step, high }) => at(step, high)),
    ];
    return markup`<polygon points="${polyline(band)}" fill="${colour}" fill-opacity=".12"/><polyline points="${polyline(points.map(({ step, median }) => at(step, median)))}" fill="none" stroke="${colour}" stroke-width="2"/>`;
  });
  return frame(plot, lines, 'Median and quartiles over clips');
}

/** How one attack went, in two plots: clips reached, and the margin (of a search the smallest scale so far), by step. */
export function courseChart(caption: Markup, courses: readonly ShownCourse[]): Markup {
  const isSearch = courses.some(({ course }) => course.rung === null);
  const second = isSearch
    ? quartilePlot('smallest scale so far (log), by step', courses, ({ scale }) => scale, Math.log)
    : quartilePlot(
        'margin (logits), by step',
        courses,
        ({ margin }) => margin,
        (value) => value,
      );
  return markup`<figure><figcaption>${caption}</figcaption><div class="pair">${reachedPlot(courses)}${second}</div></figure>`;
}
