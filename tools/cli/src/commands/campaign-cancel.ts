import { CALLER } from '../campaign/caller.ts';
import { stateName, summaryJson } from '../campaign/campaign-summary.ts';
import { knownCampaign } from '../campaign/known-campaign.ts';
import { printJson, printLines } from '../output/print.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import { addJson, addRuns, type FolderOptions, foldersOf, type JsonOption } from './options.ts';

/** `faultline campaign cancel`: stops a campaign, of this terminal or another. */
export const campaignCancel: CommandDefinition = {
  name: 'cancel',
  summary: 'stop a campaign that runs; one that has ended stays as it is',
  examples: ['faultline campaign cancel "$(faultline campaign list --limit 1 --json | jq -r ".[0].campaignId")"'],
  configure: (command) => {
    addRuns(command).argument('<run>', 'campaign identifier, as `campaign list` prints it');
    addJson(command).action((run: string, options: FolderOptions & JsonOption) =>
      cancelCampaign(run, { json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

async function cancelCampaign(campaignId: string, { json, stack }: CommandOptions): Promise<void> {
  const { summary } = await inSession(stack, 'records', ({ score, signal }) =>
    knownCampaign(score.cancelCampaign({ context: CALLER, campaignId }, { signal })),
  );
  if (summary === undefined) return;
  if (json) return printJson(summaryJson(summary));
  const state = stateName(summary.state);
  printLines([state === 'cancelled' ? `campaign ${campaignId} is cancelled` : `campaign ${campaignId} had ${state}`]);
}
