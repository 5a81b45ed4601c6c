import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FaultlineError } from '@faultline/service-kit';

const LOCK_FILE = 'lock';

/** Who holds a lock. The start time tells a process from a later one that was given the same pid. */
interface Holder {
  readonly pid: number;
  /** Clock ticks since boot; empty where the system does not say. */
  readonly startedAt: string;
}

/** Field 22 of /proc/PID/stat; the second field is a name that may hold spaces, so count from its closing bracket. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

function parseHolder(text: string): Holder | undefined {
  const [pid, startedAt = ''] = text.trim().split(' ');
  return Number(pid) > 0 ? { pid: Number(pid), startedAt } : undefined;
}

async function isAlive(holder: Holder): Promise<boolean> {
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives, but belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  const startedAt = await startTimeOf(holder.pid);
  return startedAt === '' || holder.startedAt === '' || startedAt === holder.startedAt;
}

/** Creates the lock file whole or not at all: a reader never sees it half written. Returns false when it exists. */
async function create(path: string, content: string): Promise<boolean> {
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, content);
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/** Takes away the lock of a dead process, unless another process was faster. */
async function removeStale(path: string, expected: string): Promise<void> {
  const aside = `${path}.${randomUUID()}`;
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  if ((await readFile(aside, 'utf8')) !== expected) await link(aside, path).catch(() => {});
  await rm(aside, { force: true });
}

const ATTEMPTS = 3;

/**
 * Locks a folder for this process, for the embedded database has no lock of its own and two processes would lose rows. The
 * lock of a process that is gone is taken over.
 * @throws FaultlineError failed_precondition naming the process that holds the folder.
 */
export async function lockFolder(folder: string): Promise<AsyncDisposable> {
  const path = join(folder, LOCK_FILE);
  const own = `${process.pid} ${await startTimeOf(process.pid)}\n`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if (await create(path, own)) {
      return {
        [Symbol.asyncDispose]: async () => {
          if ((await readFile(path, 'utf8').catch(() => '')) === own) await rm(path, { force: true });
        },
      };
    }
    const content = await readFile(path, 'utf8').catch(() => '');
    const holder = parseHolder(content);
    if (holder !== undefined && (await isAlive(holder))) {
      const remedy = 'stop it, or give this one another folder';
      throw new FaultlineError(
        'failed_precondition',
        `runs folder ${folder} is in use by process ${holder.pid}; ${remedy}`,
      );
    }
    await removeStale(path, content);
  }
  throw new FaultlineError(
    'failed_precondition',
    `runs folder ${folder} cannot be locked: other processes are taking it`,
  );
}
