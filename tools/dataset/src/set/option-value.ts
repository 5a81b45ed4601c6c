import { resolve } from 'node:path';
import { SetError } from './set-manifest.ts';

/** The number that an option of a command gives. @throws SetError that names the option. */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new SetError(`--${option} is "${text}"; give a whole number from ${least}`);
}

/** A path as the user means it: npm runs a workspace's scripts in the workspace's folder. */
export const userPath = (path: string): string => resolve(process.env.INIT_CWD ?? process.cwd(), path);
