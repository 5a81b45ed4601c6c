import type { Argument, Command, Option } from 'commander';
import { RUNS_DIR, VICTIMS_DIR } from '../workspace.ts';

/** Names of folders in `folder` that match the glob of the POSIX shell. */
export interface EntryValues {
  readonly kind: 'entries';
  readonly folder: string;
  readonly glob: string;
}

/** What a shell offers in a place. */
export type Values =
  | { readonly kind: 'files' | 'folders' | 'nothing' }
  | { readonly kind: 'words'; readonly words: readonly string[] }
  | EntryValues;

export interface OptionNode {
  /** "--json" */
  readonly flag: string;
  readonly description: string;
  /** Undefined: the option takes no value. */
  readonly value: Values | undefined;
}

export interface ArgumentNode {
  readonly name: string;
  readonly values: Values;
  readonly variadic: boolean;
}

/** A command as completion sees it. */
export interface CommandNode {
  /** Words that call it, without "faultline"; empty for the root. */
  readonly path: readonly string[];
  readonly description: string;
  readonly options: readonly OptionNode[];
  readonly arguments: readonly ArgumentNode[];
  readonly commands: readonly CommandNode[];
}

/** The tree of commands under `command`, as its own parser knows it. */
export function commandTree(command: Command, path: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  return {
    path,
    description: command.description(),
    options: help.visibleOptions(command).flatMap(optionNode),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      values: valuesOf(argument),
      variadic: argument.variadic,
    })),
    commands: help
      .visibleCommands(command)
      .filter((child) => child.name() !== 'help')
      .map((child) => commandTree(child, [...path, child.name()])),
  };
}

/** All commands of a tree, parents first. */
export function flatten(node: CommandNode): CommandNode[] {
  return [node, ...node.commands.flatMap(flatten)];
}

function optionNode(option: Option): OptionNode[] {
  const { long, description, required, optional } = option;
  if (long === undefined || long === null) return [];
  return [{ flag: long, description, value: required || optional ? valuesOf(option) : undefined }];
}

/** By the name of the placeholder: `<folder>`. */
const BY_NAME: Readonly<Record<string, Values>> = {
  file: { kind: 'files' },
  model: { kind: 'files' },
  clip: { kind: 'files' },
  clips: { kind: 'files' },
  folder: { kind: 'folders' },
  dir: { kind: 'folders' },
  // Names of runs begin with a date; of logs and the database they do not.
  run: { kind: 'entries', folder: RUNS_DIR, glob: '[0-9]*-*' },
  victim: { kind: 'entries', folder: VICTIMS_DIR, glob: '*' },
};

const NOTHING: Values = { kind: 'nothing' };

function valuesOf(source: Argument | Option): Values {
  if (source.argChoices !== undefined && source.argChoices.length > 0) {
    return { kind: 'words', words: source.argChoices };
  }
  const name = 'flags' in source ? placeholderOf(source) : source.name();
  return BY_NAME[name.toLowerCase()] ?? NOTHING;
}

/** "folder" of "--runs <folder>" */
const placeholderOf = ({ flags }: Option): string => /[<[]([\w-]+)/.exec(flags)?.[1] ?? '';
