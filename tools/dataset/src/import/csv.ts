/**
 * Rows of a CSV text (RFC 4180: quoted fields may hold commas, quotes and line ends). Blank lines are left out.
 * @throws Error when a quoted field has no end.
 */
export function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = '';
  let quoted = false;
  const endField = () => {
    row.push(field);
    field = '';
  };
  const endRow = () => {
    endField();
    if (row.some((value) => value !== '')) rows.push(row);
    row = [];
  };
  const source = text.startsWith('\ufeff') ? text.slice(1) : text;
  for (let at = 0; at < source.length; at++) {
    const character = source[at] ?? '';
    if (quoted) {
      if (character !== '"') field += character;
      else if (source[at + 1] === '"') field += source[at++];
      else quoted = false;
    } else if (character === '"' && field === '') quoted = true;
    else if (character === ',') endField();
    else if (character === '\n') endRow();
    else if (character !== '\r') field += character;
  }
  if (quoted) throw new Error('a quoted field of the CSV has no closing quote');
  if (field !== '' || row.length > 0) endRow();
  return rows;
}
