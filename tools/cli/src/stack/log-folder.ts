import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Starts whose logs are kept: enough to look back at what went wrong yesterday. */
const KEPT_STARTS = 10;

/** Name of the folder of logs in the folder of runs. */
const LOGS = 'logs';

/**
 * Makes the folder for the logs of services that this process starts now, `<runs>/logs/<time>-<pid>`, and removes those of
 * long ago. Services of one folder of runs never overlap, for score holds its database alone.
 */
export async function makeLogFolder(runsDir: string): Promise<string> {
  const all = join(runsDir, LOGS);
  const stamp = new Date().toISOString().replaceAll(/[-:]|\.\d+Z/g, '');
  const folder = join(all, `${stamp}-${process.pid}`);
  await mkdir(folder, { recursive: true });
  const starts = (await readdir(all)).sort();
  const old = starts.slice(0, Math.max(0, starts.length - KEPT_STARTS));
  await Promise.all(old.map((name) => rm(join(all, name), { recursive: true, force: true })));
  return folder;
}

/** Log file of a service, by the name that people read: "inference (late)" writes to `inference-late.log`. */
export function logFileOf(folder: string, service: string): string {
  const name = service.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replaceAll(/^-|-$/g, '');
  return join(folder, `${name}.log`);
}
