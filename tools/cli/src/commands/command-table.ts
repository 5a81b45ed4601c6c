import { campaignList } from './campaign-list.ts';
import { campaignRun } from './campaign-run.ts';
import type { CommandDefinition, CommandGroup } from './command-definition.ts';
import { report } from './report.ts';
import { up } from './up.ts';

/** All commands, in the order of the help. */
export const COMMANDS: readonly (CommandDefinition | CommandGroup)[] = [
  up,
  { name: 'campaign', summary: 'robustness evaluations', commands: [campaignRun, campaignList] },
  report,
];
