import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const endpointSchema = z.strictObject({
  /** Address of the score service. */
  score: z.string(),
  /** The `faultline up` that keeps the services. */
  pid: z.number().int(),
  /** Folder of span files. */
  traceDir: z.string(),
  /** Folder of the services' logs. */
  logDir: z.string(),
});

/** How one process of the command line finds the services that another one keeps. */
export type Endpoint = z.output<typeof endpointSchema>;

const pathIn = (runsDir: string) => join(runsDir, 'endpoint.json');

/** The endpoint of services that are up; undefined when there is no file, or its process has gone. */
export async function readEndpoint(runsDir: string): Promise<Endpoint | undefined> {
  const text = await readFile(pathIn(runsDir), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  const endpoint = endpointSchema.safeParse(parseJson(text));
  return endpoint.success && isAlive(endpoint.data.pid) ? endpoint.data : undefined;
}

/** Writes the endpoint file whole: a reader sees all of it or none. */
export async function writeEndpoint(runsDir: string, endpoint: Endpoint): Promise<void> {
  await mkdir(runsDir, { recursive: true });
  const draft = `${pathIn(runsDir)}.${process.pid}`;
  await writeFile(draft, `${JSON.stringify(endpoint)}\n`);
  await rename(draft, pathIn(runsDir));
}

export async function removeEndpoint(runsDir: string): Promise<void> {
  await rm(pathIn(runsDir), { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // A process of another user is alive, too.
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
