import type { CurvePoint } from './training-run.ts';

const WIDTH = 720;
const HEIGHT = 360;
const MARGIN = { left: 56, right: 56, top: 36, bottom: 40 };
const TICKS = 5;
/** Blue and orange that stay apart for the colour-blind (Okabe & Ito, 2008). */
const LOSS_COLOUR = '#0072b2';
const VALIDATION_COLOUR = '#d55e00';

const escaped = (text: string): string => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);

interface Axis {
  readonly low: number;
  readonly high: number;
}

/** Bounds with a little room; a single value gets some on both sides. */
function axisOf(values: readonly number[]): Axis {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = high > low ? 0.05 * (high - low) : Math.max(0.05 * Math.abs(high), 1e-3);
  return { low: low - room, high: high + room };
}

/**
 * A training curve as an SVG document: the loss on the left axis, the validation figure on the right one, both over steps.
 * @throws RangeError when there is no point.
 */
export function trainingCurveSvg(
  title: string,
  curve: readonly CurvePoint[],
  validationName = 'validation mAP',
): string {
  const last = curve.at(-1);
  if (last === undefined) throw new RangeError('the training curve has no point');
  const plotWidth = WIDTH - MARGIN.left - MARGIN.right;
  const plotHeight = HEIGHT - MARGIN.top - MARGIN.bottom;
  const x = (step: number) => MARGIN.left + (plotWidth * step) / last.step;
  const y = (value: number, { low, high }: Axis) => MARGIN.top + plotHeight * (1 - (value - low) / (high - low));
  const line = (points: readonly (readonly [number, number])[], axis: Axis, colour: string): string => {
    const path = points.map(([step, value]) => `${x(step).toFixed(1)},${y(value, axis).toFixed(1)}`).join(' ');
    const dots =
      points.length > 40
        ? ''
        : points
            .map(
              ([step, value]) =>
                `<circle cx="${x(step).toFixed(1)}" cy="${y(value, axis).toFixed(1)}" r="2.5" fill="${colour}"/>`,
            )
            .join('');
    return `<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots}`;
  };
  const text = (at: readonly [number, number], words: string, anchor: string, colour = '#333') =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" text-anchor="${anchor}" fill="${colour}">${escaped(words)}</text>`;
  const ticks = (axis: Axis, place: number, anchor: string, colour: string) =>
    Array.from({ length: TICKS }, (_, index) => {
      const value = axis.low + ((axis.high - axis.low) * index) / (TICKS - 1);
      return text([place, y(value, axis) + 4], value.toPrecision(3), anchor, colour);
    });
  const losses = axisOf(curve.map(({ loss }) => loss));
  const figures = curve.flatMap(({ step, validation }) =>
    validation === undefined ? [] : [[step, validation] as const],
  );
  const right = figures.length > 0 ? axisOf(figures.map(([, value]) => value)) : undefined;
  const steps = Array.from({ length: TICKS }, (_, index) => Math.round((last.step * index) / (TICKS - 1)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="white"/>`,
    `<rect x="${MARGIN.left}" y="${MARGIN.top}" width="${plotWidth}" height="${plotHeight}" fill="none" stroke="#bbb"/>`,
    text([WIDTH / 2, 20], title, 'middle'),
    text([MARGIN.left, MARGIN.top - 6], 'training loss', 'start', LOSS_COLOUR),
    ...ticks(losses, MARGIN.left - 6, 'end', LOSS_COLOUR),
    ...steps.map((step) => text([x(step), HEIGHT - MARGIN.bottom + 16], String(step), 'middle')),
    text([WIDTH / 2, HEIGHT - 8], 'step', 'middle'),
    line(
      curve.map(({ step, loss }) => [step, loss]),
      losses,
      LOSS_COLOUR,
    ),
    ...(right === undefined
      ? []
      : [
          text([WIDTH - MARGIN.right, MARGIN.top - 6], validationName, 'end', VALIDATION_COLOUR),
          ...ticks(right, WIDTH - MARGIN.right + 6, 'start', VALIDATION_COLOUR),
          line(figures, right, VALIDATION_COLOUR),
        ]),
    '</svg>',
    '',
  ].join('\n');
}
