import { type CommandNode, flatten, type Values } from './command-tree.ts';
import { listing, quoted } from './shell-quoting.ts';

/** A bash script that completes the commands of a tree. */
export function bashCompletion(root: CommandNode): string {
  const nodes = flatten(root);
  return `# bash completion of faultline; put this into ~/.bashrc: source <(faultline completion bash)
_faultline() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" path='' pending='' position=0 index word
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    word="\${COMP_WORDS[index]}"
    if [[ -n $pending ]]; then
      pending=''
      continue
    fi
    case "$path $word" in
${lines(nodes.slice(1), (node) => `      ${quoted(words(node))}) path=${quoted(words(node))} ;;`)}
${lines(nodes, ({ options, path }) =>
  options
    .filter(({ value }) => value !== undefined)
    .map(({ flag }) => `      ${quoted(` ${[...path, flag].join(' ')}`)}) pending="$path $word" ;;`)
    .join('\n'),
)}
      *' -'*) ;;
      *) position=$((position + 1)) ;;
    esac
  done
  if [[ -n $pending ]]; then
    case "$pending" in
${lines(nodes, ({ options, path }) =>
  options
    .flatMap(({ flag, value }) =>
      value === undefined ? [] : [`      ${quoted(` ${[...path, flag].join(' ')}`)}) ${offer(value)} ;;`],
    )
    .join('\n'),
)}
    esac
  elif [[ $cur == -* ]]; then
    case "$path" in
${lines(nodes, (node) => `      ${quoted(words(node))}) ${offerWords(node.options.map(({ flag }) => flag))} ;;`)}
    esac
  else
    case "$path $position" in
${lines(nodes, (node) => placesOf(node).join('\n'))}
    esac
  fi
}
complete -o default -F _faultline faultline
`;
}

/** " campaign run" */
const words = ({ path }: CommandNode): string => path.map((word) => ` ${word}`).join('');

/** Lines of all items, without the empty ones. */
function lines<T>(items: readonly T[], line: (item: T) => string): string {
  return items
    .map(line)
    .filter((text) => text !== '')
    .join('\n');
}

/** What goes where no option stands: subcommands or arguments. */
function placesOf(node: CommandNode): string[] {
  const at = (position: number) => quoted(`${words(node)} ${position}`);
  if (node.commands.length > 0) {
    return [`      ${at(0)}) ${offerWords(node.commands.map(({ path }) => path.at(-1) ?? ''))} ;;`];
  }
  return node.arguments.map(({ variadic, values }, index) => {
    const place = variadic ? `${quoted(`${words(node)} `)}*` : at(index);
    return `      ${place}) ${offer(values)} ;;`;
  });
}

const offerWords = (list: readonly string[]): string => `COMPREPLY=($(compgen -W ${quoted(list.join(' '))} -- "$cur"))`;

/** A command that fills COMPREPLY; left empty, readline completes names of files. */
function offer(values: Values): string {
  switch (values.kind) {
    case 'files':
    case 'nothing':
      return ':';
    case 'folders':
      return `compopt -o filenames 2>/dev/null; local IFS=$'\\n'; COMPREPLY=($(compgen -d -- "$cur"))`;
    case 'words':
      return offerWords(values.words);
    case 'entries':
      return `COMPREPLY=($(compgen -W "$(${listing(values)})" -- "$cur"))`;
  }
}
