import { type CommandNode, flatten, type Values } from './command-tree.ts';
import { fishQuoted, listing } from './shell-quoting.ts';

/** A fish script that completes the commands of a tree. */
export function fishCompletion(root: CommandNode): string {
  return `# fish completion of faultline; once: faultline completion fish > ~/.config/fish/completions/faultline.fish
# True when the words so far, options aside, begin with these and name no subcommand further (group) or go on anyhow (leaf).
function __faultline_at --description 'the command that the line names is this one'
    set --local words (commandline --tokenize --cut-at-cursor --current-process | string match --invert -- '-*')[2..]
    set --local asked (count $argv)
    test (count $words) -ge $asked; or return 1
    test $asked -eq 0; or test "$words[1..$asked]" = "$argv"
end
function __faultline_exactly --description 'as __faultline_at, and no word follows'
    set --local words (commandline --tokenize --cut-at-cursor --current-process | string match --invert -- '-*')[2..]
    test "$words" = "$argv"
end
complete --command faultline --no-files
${flatten(root).flatMap(linesOf).join('\n')}
`;
}

function linesOf(node: CommandNode): string[] {
  const at = `complete --command faultline --condition ${fishQuoted(['__faultline_at', ...node.path].join(' '))}`;
  const exactly = `complete --command faultline --condition ${fishQuoted(['__faultline_exactly', ...node.path].join(' '))}`;
  return [
    ...node.commands.map(
      ({ path, description }) => `${exactly} --arguments ${path.at(-1)} --description ${fishQuoted(description)}`,
    ),
    ...(node.commands.length > 0 ? [] : node.options).map(({ flag, description, value }) => {
      const takes = value === undefined ? '' : ` --require-parameter${offer(value)}`;
      return `${at} --long-option ${flag.slice(2)}${takes} --description ${fishQuoted(description)}`;
    }),
    ...node.arguments
      .slice(0, 1)
      .filter(({ values }) => values.kind !== 'nothing')
      .map(({ values, variadic }) => `${variadic ? at : exactly}${offer(values)}`),
  ];
}

function offer(values: Values): string {
  switch (values.kind) {
    case 'files':
      return ' --force-files';
    case 'folders':
      return ` --arguments ${fishQuoted('(__fish_complete_directories (commandline --current-token))')}`;
    case 'nothing':
      return '';
    case 'words':
      return ` --arguments ${fishQuoted(values.words.join(' '))}`;
    case 'entries':
      return ` --arguments ${fishQuoted(`(sh -c ${fishQuoted(listing(values))})`)}`;
  }
}
