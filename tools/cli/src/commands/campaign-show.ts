import type { score } from '@faultline/contracts';
import { CALLER } from '../campaign/caller.ts';
import { stateName, summaryJson } from '../campaign/campaign-summary.ts';
import { knownCampaign } from '../campaign/known-campaign.ts';
import { specificationJson } from '../campaign/specification-json.ts';
import { duration, time } from '../output/figures.ts';
import { printJson, printLines } from '../output/print.ts';
import { formatMinutes, type Progress } from '../output/progress-line.ts';
import { reportFiles } from '../output/report-files.ts';
import { specificationFields, threatModelTable } from '../output/specification-text.ts';
import { fieldList } from '../output/text-table.ts';
import type { Session } from '../session.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import { addJson, addRuns, type FolderOptions, foldersOf, type JsonOption } from './options.ts';

/** `faultline campaign show`: how one campaign stands. */
export const campaignShow: CommandDefinition = {
  name: 'show',
  summary: 'tell how a campaign stands: its progress, what it measures, why it failed',
  examples: ['faultline campaign show "$(faultline campaign list --limit 1 --json | jq -r ".[0].campaignId")"'],
  configure: (command) => {
    addRuns(command).argument('<run>', 'campaign identifier, as `campaign list` prints it');
    addJson(command).action((run: string, options: FolderOptions & JsonOption) =>
      showCampaign(run, { json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

async function showCampaign(campaignId: string, { json, stack }: CommandOptions): Promise<void> {
  const { campaign, progress } = await inSession(stack, 'records', async (session) => ({
    campaign: await knownCampaign(
      session.score.getCampaign({ context: CALLER, campaignId }, { signal: session.signal }),
    ),
    progress: await presentProgress(session, campaignId),
  }));
  const { summary, folder } = campaign;
  if (summary === undefined) return;
  const files = stateName(summary.state) === 'succeeded' ? reportFiles(folder) : [];
  if (json) {
    const standing = { progress: progress.progress, activity: progress.activity };
    const specification = specificationJson(campaign.specification);
    const place = { folder: folder === '' ? null : folder, files };
    return printJson({ ...summaryJson(summary), ...standing, specification, ...place });
  }
  const told = fieldList([...fieldsOf(summary, progress), ...specificationFields(campaign.specification)]);
  printLines([...told, '', ...threatModelTable(campaign.specification), '', ...files].join('\n').trimEnd().split('\n'));
}

/** The first message of a watch tells how the campaign stands now. */
async function presentProgress({ score, signal }: Session, campaignId: string): Promise<Progress> {
  for await (const update of score.watchCampaign({ context: CALLER, campaignId }, { signal })) return update;
  return { progress: 0, remainingSeconds: -1, activity: '' };
}

function fieldsOf(summary: score.CampaignSummary, progress: Progress): [string, string][] {
  const { campaignId, name, startedAt, endedAt, error, caller, traceId } = summary;
  const state = stateName(summary.state);
  return [
    ['campaign', campaignId],
    ['name', name],
    ['state', state === 'running' ? `running, ${progressText(progress)}` : state],
    ['why', error],
    ['started', time(startedAt)],
    ['took', startedAt === undefined || endedAt === undefined ? '' : duration(endedAt.getTime() - startedAt.getTime())],
    ['asked by', caller],
    ['trace', traceId],
  ];
}

/** "34 %, 2:05 left, late: linf-waveform" */
function progressText({ progress, remainingSeconds, activity }: Progress): string {
  const left = remainingSeconds < 0 ? '' : `${formatMinutes(remainingSeconds)} left`;
  return [`${Math.floor(progress * 100)} %`, left, activity].filter((part) => part !== '').join(', ');
}
