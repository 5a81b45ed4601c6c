import { join, resolve } from 'node:path';

/** Root of the checkout. */
export const WORKSPACE = resolve(import.meta.dirname, '../../..');

/** Runs, the score service's database and the endpoint file. */
export const RUNS_DIR = join(WORKSPACE, 'runs');

/** One folder a victim. */
export const VICTIMS_DIR = join(WORKSPACE, 'zoo/victims');

/** The clip set that ships with the project. */
export const CLIPS_DIR = join(WORKSPACE, 'zoo/clips');

/** Where Node keeps compiled sources. */
export const COMPILE_CACHE_DIR = join(WORKSPACE, '.cache/node');
