export interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
}

/** A column of text. */
export const textColumn = (title: string): Column => ({ title, align: 'left' });

/** Lines of a table for people; columns are two blanks apart, text to the left and figures to the right. */
export function textTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => (row[index] ?? '').length)),
  );
  const line = (cells: readonly string[]) =>
    columns
      .map(({ align = 'right' }, index) => {
        const cell = cells[index] ?? '';
        return align === 'left' ? cell.padEnd(widths[index] ?? 0) : cell.padStart(widths[index] ?? 0);
      })
      .join('  ')
      .trimEnd();
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

/** Lines of "name  value" pairs; pairs without a value are left out. */
export function fieldList(fields: readonly (readonly [name: string, value: string])[]): string[] {
  const told = fields.filter(([, value]) => value !== '');
  const width = Math.max(0, ...told.map(([name]) => name.length));
  return told.map(([name, value]) => `${name.padEnd(width)}  ${value}`);
}
