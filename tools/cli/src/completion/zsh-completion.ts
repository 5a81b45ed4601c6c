import { type CommandNode, flatten, type Values } from './command-tree.ts';
import { listing, quoted } from './shell-quoting.ts';

/** A zsh script that completes the commands of a tree. */
export function zshCompletion(root: CommandNode): string {
  return `#compdef faultline
# zsh completion of faultline; put this into ~/.zshrc, after compinit: source <(faultline completion zsh)
${flatten(root).reverse().map(functionOf).join('\n')}
if [[ "\${funcstack[1]}" == _faultline ]]; then _faultline "$@"; else compdef _faultline faultline; fi
`;
}

const nameOf = ({ path }: CommandNode): string => ['_faultline', ...path].join('_');

function functionOf(node: CommandNode): string {
  return node.commands.length > 0 ? groupFunction(node) : leafFunction(node);
}

function groupFunction(node: CommandNode): string {
  const described = node.commands.map(({ path, description }) => quoted(`${path.at(-1)}:${description}`));
  const cases = node.commands.map((child) => `        ${child.path.at(-1)}) ${nameOf(child)} ;;`);
  return `${nameOf(node)}() {
  local state line
  local -a commands=(
${described.map((entry) => `    ${entry}`).join('\n')}
  )
  _arguments -C ${optionsOf(node).join(' ')} '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${cases.join('\n')}
      esac ;;
  esac
}`;
}

function leafFunction(node: CommandNode): string {
  const places = node.arguments.map(({ name, values, variadic }, index) =>
    quoted(`${variadic ? '*' : index + 1}:${name}:${action(values)}`),
  );
  return `${nameOf(node)}() {
  _arguments ${[...optionsOf(node), ...places].join(' \\\n    ')}
}`;
}

const optionsOf = ({ options }: CommandNode): string[] =>
  options.map(({ flag, description, value }) => {
    const text = `${flag}[${description.replaceAll(/[[\]]/g, '\\$&').replaceAll(':', '\\:')}]`;
    return quoted(value === undefined ? text : `*${text}:value:${action(value)}`);
  });

/** The action of an `_arguments` specification. */
function action(values: Values): string {
  switch (values.kind) {
    case 'files':
      return '_files';
    case 'folders':
      return '_files -/';
    case 'nothing':
      return '';
    case 'words':
      return `(${values.words.join(' ')})`;
    case 'entries':
      return `{compadd -- $(${listing(values)})}`;
  }
}
