import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import type { StackOptions } from '../stack/stack.ts';

// Options that commands share, and what commander makes of them.

export interface JsonOption {
  readonly json?: true;
}

/** Where a command finds the services that are up, and where those that it starts keep what they find. */
export interface FolderOptions {
  readonly runs?: string;
  readonly victims?: string;
}

export function addJson(command: Command, description = 'print JSON in place of text'): Command {
  return command.option('--json', description);
}

export function addRuns(command: Command): Command {
  return command.option('--runs <folder>', 'folder of runs and their database (default: runs, in the checkout)');
}

export function addVictims(command: Command): Command {
  return command.option(
    '--victims <folder>',
    'folder with one folder a victim (default: zoo/victims, in the checkout)',
  );
}

export interface VictimOption {
  readonly victim?: readonly string[];
}

/** Adds `--victim`, which may be given several times and takes lists. */
export function addVictim(command: Command): Command {
  return command.option(
    '--victim <victim>',
    'only this victim, by name or folder; several: repeat it, or a,b; with "all": beside the others (default: all)',
    collect,
  );
}

/** Parser of an option that may be repeated and takes lists: "a,b". */
export function collect(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, ...text.split(',').map((part) => part.trim())];
}

/** Folders as the stack takes them, absolute: services run elsewhere. */
export function foldersOf({ runs, victims }: FolderOptions): Pick<StackOptions, 'runsDir' | 'victimsDir'> {
  return {
    ...(runs === undefined ? {} : { runsDir: resolve(runs) }),
    ...(victims === undefined ? {} : { victimsDir: resolve(victims) }),
  };
}

/** Parser of an option that takes a whole number from `least` up. */
export function wholeNumber(least: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < least || text.trim() === '') {
      throw new InvalidArgumentError(`give a whole number from ${least} up.`);
    }
    return value;
  };
}
