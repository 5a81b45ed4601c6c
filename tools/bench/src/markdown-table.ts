/** Cells by column. */
export type Row = Readonly<Record<string, string>>;

/** Rows as a Markdown table, columns aligned. */
export function tableOf(rows: readonly Row[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const width = (column: string) => Math.max(3, column.length, ...rows.map((row) => row[column]?.length ?? 0));
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`;
  const padded = (texts: Row) => columns.map((column) => (texts[column] ?? '').padEnd(width(column)));
  return [
    line(columns.map((column) => column.padEnd(width(column)))),
    line(columns.map((column) => '-'.repeat(width(column)))),
    ...rows.map((row) => line(padded(row))),
  ].join('');
}
