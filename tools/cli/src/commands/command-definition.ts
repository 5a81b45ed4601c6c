import type { Command } from 'commander';

/** One command: a file in this folder, and a row in `command-table.ts`. */
export interface CommandDefinition {
  /** The word that calls it, without its group. */
  readonly name: string;
  /** One line for the list of commands; starts in lower case, no full stop. */
  readonly summary: string;
  /** Lines of its help that work as they stand, in a shell, in the checkout. At least one. */
  readonly examples: readonly string[];
  /** Adds arguments, options and the action. */
  readonly configure: (command: Command) => void;
}

/** Commands under one word. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly CommandDefinition[];
}

/** Adds a command, or a group with its commands, to `parent`. */
export function addCommand(parent: Command, entry: CommandDefinition | CommandGroup): void {
  const command = parent.command(entry.name).description(entry.summary);
  if ('commands' in entry) {
    for (const child of entry.commands) addCommand(command, child);
    return;
  }
  entry.configure(command);
  const title = entry.examples.length > 1 ? 'Examples' : 'Example';
  command.addHelpText('after', `\n${title}:\n${entry.examples.map((line) => `  $ ${line}`).join('\n')}`);
}
