/** Standard output carries data and nothing else. */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

export function printLines(lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Something for people beside the data: on standard error. */
export function note(text: string): void {
  process.stderr.write(`${text}\n`);
}
