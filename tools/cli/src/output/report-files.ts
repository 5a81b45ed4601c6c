import { join } from 'node:path';

/** Paths of a report in its campaign's folder; none when the folder is not on this disk. */
export function reportFiles(folder: string): string[] {
  return folder === '' ? [] : [join(folder, 'report.html'), join(folder, 'report.json')];
}
