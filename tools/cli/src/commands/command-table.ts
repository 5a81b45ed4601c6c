import { attack } from './attack.ts';
import { attacks } from './attacks.ts';
import { campaignCancel } from './campaign-cancel.ts';
import { campaignList } from './campaign-list.ts';
import { campaignRun } from './campaign-run.ts';
import { campaignShow } from './campaign-show.ts';
import { cardInit } from './card-init.ts';
import type { CommandDefinition, CommandGroup } from './command-definition.ts';
import { completion } from './completion.ts';
import { evaluate } from './evaluate.ts';
import { gc } from './gc.ts';
import { gradcheck } from './gradcheck.ts';
import { inspect } from './inspect.ts';
import { predict } from './predict.ts';
import { report } from './report.ts';
import { up } from './up.ts';
import { victims } from './victims.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly (CommandDefinition | CommandGroup)[] = [
  up,
  victims,
  predict,
  attack,
  attacks,
  {
    name: 'campaign',
    summary: 'robustness evaluations',
    commands: [campaignRun, campaignList, campaignShow, campaignCancel],
  },
  report,
  { name: 'card', summary: 'cards of victims', commands: [cardInit] },
  evaluate,
  inspect,
  gradcheck,
  gc,
  completion,
];
