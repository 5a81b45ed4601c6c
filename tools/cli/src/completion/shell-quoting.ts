import type { EntryValues } from './command-tree.ts';

/** One word of bash or zsh, whatever is in it. */
export const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** One word of fish, whatever is in it. */
export const fishQuoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;

/** A pipeline of the POSIX shell that prints the names of folders, one a line. */
export const listing = ({ folder, glob }: EntryValues): string =>
  `cd ${quoted(folder)} 2>/dev/null && ls -d ${glob}/ 2>/dev/null | tr -d /`;
