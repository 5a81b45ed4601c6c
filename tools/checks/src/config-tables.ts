/** Where a README holds a table made from a service's typed configuration. */
const BEGIN = '<!-- configuration: made by npm run format -->';
const END = '<!-- end of configuration -->';

const HEADER = ['variable', 'default', 'meaning'];

/** A Markdown table with its columns padded, as the formatter writes it. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = HEADER.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill: string) =>
    `| ${widths.map((width, column) => (cells[column] ?? '').padEnd(width, fill)).join(' | ')} |`;
  const [header = [], ...body] = rows;
  return [line(header, ' '), line([], '-'), ...body.map((row) => line(row, ' '))].join('\n');
}

/**
 * The README with its configuration table renewed.
 * @param rows `| variable | default | meaning |`, as `describeConfig` of service-kit gives them
 * @throws Error when the README has no place for the table, or more than one.
 */
export function withConfigTable(readme: string, rows: readonly string[]): string {
  const [before, after, ...others] = readme.split(BEGIN);
  const end = after?.indexOf(END) ?? -1;
  if (before === undefined || after === undefined || others.length > 0 || end < 0)
    throw new Error(`write '${BEGIN}' and '${END}' once each, where the table belongs`);
  return `${before}${BEGIN}\n\n${table([HEADER, ...rows.map(cellsOf)])}\n\n${after.slice(end)}`;
}

const cellsOf = (row: string) =>
  row
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());
