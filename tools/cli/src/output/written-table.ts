import type { ClipScoreJson } from '../scores/clip-scores.ts';
import type { WrittenExampleJson } from '../scores/written-examples.ts';
import { budget, bytes } from './figures.ts';
import { signed } from './prediction-table.ts';
import { type Column, textColumn, textTable } from './text-table.ts';

const KILO = 1000;

/**
 * A line an adversarial example that was written as a media file: does it survive?
 * @param rhos each variable's budget at scale 1.
 */
export function writtenTable(scores: readonly ClipScoreJson[], rhos: Readonly<Record<string, number>>): string[] {
  const names = Object.keys(rhos);
  const [rho = 1, ...others] = Object.values(rhos);
  const columns: Column[] = [
    ...['clip', 'victim', 'form'].map(textColumn),
    { title: others.length === 0 ? 'eps' : 's' },
    textColumn('outcome'),
    { title: 'margin' },
    { title: 'clean margin' },
    { title: 'size' },
    { title: 'kbit/s' },
    ...names.flatMap((name) => [{ title: `${name} norm` }, { title: 'dB' }, { title: 'form dB' }]),
  ];
  const rows = scores.flatMap(({ clip, victim, written }) =>
    written.map((one) => [
      clip,
      victim,
      one.form,
      budget(one.scale * (others.length === 0 ? rho : 1)),
      one.outcome,
      one.margin === null ? '-' : signed(one.margin),
      signed(one.cleanMargin),
      one.bytes === 0 ? '-' : bytes(one.bytes),
      one.bytes === 0 ? '-' : (one.bitRate / KILO).toFixed(1),
      ...names.flatMap((name) => variableCells(one, name)),
    ]),
  );
  if (rows.length === 0) return ['no adversarial example was found that could be written'];
  return [...textTable(columns, rows), '', ...LEGEND, ...vanishing(scores)];
}

function variableCells({ variables }: WrittenExampleJson, name: string): string[] {
  const found = variables.find(({ variable }) => variable === name);
  const ratio = (decibels: number | null | undefined) => decibels?.toFixed(1) ?? '-';
  return [budget(found?.decodedNorm ?? found?.writtenNorm ?? 0), ratio(found?.decibels), ratio(found?.formDecibels)];
}

const LEGEND = [
  'survived: the file, read and predicted again, still reaches the goal. form alone: the clean clip in this form is off by itself. Smallest budget first.',
  'clean margin: of the clean clip in the same form. norm, dB: what is left after decoding, towards that clip; form dB: what the form does to it.',
  'Files have the size and the rates of the victim’s inputs, not those of the clip.',
];

/** Budgets that a file cannot hold, told in words. */
function vanishing(scores: readonly ClipScoreJson[]): string[] {
  const told = scores
    .flatMap(({ written }) => written)
    .flatMap(({ variables }) => variables.filter(({ kept }) => kept === 0))
    .map(({ variable, epsilon, step }) =>
      epsilon < step
        ? `vanishing: a budget of ${budget(epsilon)} for ${variable} is below one step of a file, ${budget(step)} (1/${Math.round(1 / step)})`
        : `vanishing: at a budget of ${budget(epsilon)} every change of ${variable} is below one step of a file, ${budget(step)} (1/${Math.round(1 / step)})`,
    );
  return [...new Set(told)];
}
