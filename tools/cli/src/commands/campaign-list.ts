import { score } from '@faultline/contracts';
import { CALLER } from '../campaign/watch-campaign.ts';
import { textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import { addJson, addRuns, type FolderOptions, foldersOf, type JsonOption } from './options.ts';

/** `faultline campaign list`: the newest campaigns. */
export const campaignList: CommandDefinition = {
  name: 'list',
  summary: 'list campaigns, the newest first',
  examples: ['faultline campaign list --json'],
  configure: (command) => {
    addJson(addRuns(command), 'print JSON').action((options: FolderOptions & JsonOption) =>
      listCampaigns({ json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

/** Most campaigns that are listed. */
const PAGE_SIZE = 50;

async function listCampaigns({ json, stack }: CommandOptions): Promise<void> {
  const { campaigns } = await inSession(stack, 'records', ({ score, signal }) =>
    score.listCampaigns({ context: CALLER, pageSize: PAGE_SIZE, pageToken: '' }, { signal }),
  );
  if (json) {
    process.stdout.write(`${JSON.stringify(campaigns.map(score.CampaignSummary.toJSON), undefined, 2)}\n`);
    return;
  }
  if (campaigns.length === 0) {
    process.stdout.write('no campaigns yet; run one: faultline campaign run campaigns/quick.yaml\n');
    return;
  }
  const columns = ['campaign', 'name', 'state', 'started', 'why'].map((title) => ({ title, align: 'left' as const }));
  const rows = campaigns.map(({ campaignId, name, state, startedAt, error }) => [
    campaignId,
    name,
    stateName(state),
    startedAt?.toISOString() ?? '',
    error.split('\n')[0] ?? '',
  ]);
  process.stdout.write(`${textTable(columns, rows).join('\n')}\n`);
}

const STATE_PREFIX = 'CAMPAIGN_STATE_';

const stateName = (state: score.CampaignState): string =>
  score.campaignStateToJSON(state).replace(STATE_PREFIX, '').toLowerCase();
