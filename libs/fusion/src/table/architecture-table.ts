import type { ArchitectureName } from '../architectures.ts';

/** Where the README holds the table. */
const BEGIN = '<!-- architectures: made by src/table/write-table.ts -->';
const END = '<!-- end of architectures -->';

/** What an architecture is, in words. */
export const ABOUT: Readonly<Record<ArchitectureName, string>> = {
  audio: 'the audio branch that the fusions of its size have',
  'audio-attention': 'CNN, self-attention applied twice',
  'audio-no-residuals': 'the same without residual sums',
  'audio-crnn': 'CNN, GRU in both directions',
  'audio-resnet': 'residual network; at the study size ResNet-50',
  'audio-patches': 'transformer on patches of the log-mel',
  visual: 'the visual branch',
  early: 'one network on both inputs',
  mid: 'CNN, then joined moment by moment, then encoded',
  'mid-sum': 'a x audio + b x visual',
  'mid-concat': 'side by side, a linear layer',
  'mid-film': 'the visual scales and shifts the audio',
  'mid-gated': 'a gate computed from both',
  late: 'two whole branches, a x audio + b x visual',
  'late-sum': 'a x audio + b x visual, moment by moment',
  'late-concat': 'side by side, a linear layer',
  'late-film': 'the visual scales and shifts the audio',
  'late-gated': 'a gate computed from both',
  decision: '0.6 p(audio) + 0.4 p(visual)',
  'early-matched': 'early, all widths scaled to the size of mid',
  'mid-matched': 'mid',
  'late-matched': 'late, all widths scaled to the size of mid',
};

/** Parameters of the victim as it ships, and multiply-accumulates of one clip. */
export interface Size {
  readonly parameters: number;
  readonly macs: number;
}

export interface Row {
  readonly name: ArchitectureName;
  readonly laptop: Size;
  readonly study: Size;
}

const HEADER = ['architecture', 'what it is', 'laptop: parameters', 'MACs', 'study: parameters', 'MACs'] as const;

const millions = (count: number): string => `${(count / 1e6).toFixed(1)} M`;

/** The rows as a Markdown table, its columns aligned. */
export function architectureTable(rows: readonly Row[]): string {
  const cells = rows.map(({ name, laptop, study }) => [
    `\`${name}\``,
    ABOUT[name],
    laptop.parameters.toLocaleString('en'),
    millions(laptop.macs),
    millions(study.parameters),
    millions(study.macs),
  ]);
  const lines = [[...HEADER], ...cells];
  const widths = HEADER.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  const left = (column: number) => column < 2;
  const padded = lines.map((line) =>
    line.map((cell, column) => (left(column) ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))),
  );
  const rule = widths.map((width, column) => (left(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`));
  const [header = [], ...body] = padded;
  return [header, rule, ...body].map((line) => `| ${line.join(' | ')} |`).join('\n');
}

/** @throws Error when the README has no place for the table. */
export function withTable(readme: string, table: string): string {
  const { before, after } = parts(readme);
  return `${before}${BEGIN}\n\n${table}\n\n${END}${after}`;
}

/** The table that the README holds. */
export const tableIn = (readme: string): string => parts(readme).table.trim();

function parts(readme: string): { readonly before: string; readonly table: string; readonly after: string } {
  const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`the README has no lines '${BEGIN}' and '${END}'`);
  return {
    before: readme.slice(0, begin),
    table: readme.slice(begin + BEGIN.length, end),
    after: readme.slice(end + END.length),
  };
}
