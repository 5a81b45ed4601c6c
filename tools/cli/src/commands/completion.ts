import { Argument, type Command } from 'commander';
import { bashCompletion } from '../completion/bash-completion.ts';
import { type CommandNode, commandTree } from '../completion/command-tree.ts';
import { fishCompletion } from '../completion/fish-completion.ts';
import { zshCompletion } from '../completion/zsh-completion.ts';
import type { CommandDefinition } from './command-definition.ts';

const SHELLS: Readonly<Record<string, (root: CommandNode) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

/** `faultline completion`: the script that a shell reads. */
export const completion: CommandDefinition = {
  name: 'completion',
  summary: 'print a script that makes a shell complete faultline: commands, options, files, campaigns, victims',
  examples: [
    'source <(faultline completion bash)   # in ~/.bashrc; zsh likewise, in ~/.zshrc after compinit',
    'faultline completion fish > ~/.config/fish/completions/faultline.fish',
  ],
  configure: (command) => {
    command
      .addArgument(new Argument('<shell>', 'shell to write for').choices(Object.keys(SHELLS)))
      .action((shell: string) => {
        process.stdout.write(SHELLS[shell]?.(commandTree(rootOf(command))) ?? '');
      });
  },
};

const rootOf = (command: Command): Command => (command.parent === null ? command : rootOf(command.parent));
