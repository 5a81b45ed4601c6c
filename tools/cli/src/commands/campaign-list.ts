import { CALLER } from '../campaign/caller.ts';
import { stateName, summaryJson } from '../campaign/campaign-summary.ts';
import { time } from '../output/figures.ts';
import { printJson, printLines } from '../output/print.ts';
import { textColumn, textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import { addJson, addRuns, type FolderOptions, foldersOf, type JsonOption, wholeNumber } from './options.ts';

/** Campaigns that are listed when nothing else is said. */
const DEFAULT_LIMIT = 50;

/** Most that the service gives at once. */
const MAX_PAGE = 1_000;

/** `faultline campaign list`: the newest campaigns. */
export const campaignList: CommandDefinition = {
  name: 'list',
  summary: 'list campaigns, the newest first',
  examples: ['faultline campaign list', 'faultline campaign list --limit 1 --json'],
  configure: (command) => {
    addRuns(command).option('--limit <count>', 'list at most this many', wholeNumber(1), DEFAULT_LIMIT);
    addJson(command).action((options: FolderOptions & JsonOption & { readonly limit: number }) =>
      listCampaigns(options.limit, { json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

async function listCampaigns(limit: number, { json, stack }: CommandOptions): Promise<void> {
  const campaigns = await inSession(stack, 'records', async ({ score, signal }) => {
    const found = [];
    for (let pageToken = ''; ; ) {
      const pageSize = Math.min(MAX_PAGE, limit - found.length);
      const page = await score.listCampaigns({ context: CALLER, pageSize, pageToken }, { signal });
      found.push(...page.campaigns);
      pageToken = page.nextPageToken;
      if (pageToken === '' || found.length >= limit) return found;
    }
  });
  if (json) return printJson(campaigns.map(summaryJson));
  if (campaigns.length === 0) {
    return printLines(['no campaigns yet; run one: faultline campaign run campaigns/quick.yaml']);
  }
  const rows = campaigns.map(({ campaignId, name, state, startedAt, error }) => [
    campaignId,
    name,
    stateName(state),
    time(startedAt),
    error.split('\n')[0] ?? '',
  ]);
  printLines(textTable(['campaign', 'name', 'state', 'started', 'why'].map(textColumn), rows));
}
