import { CALLER } from '../campaign/caller.ts';
import { knownCampaign } from '../campaign/known-campaign.ts';
import { UsageError } from '../exit-code.ts';
import { readReport } from '../output/read-report.ts';
import { reportFiles } from '../output/report-files.ts';
import { tradeOffTable } from '../output/trade-off-table.ts';
import { universalTable } from '../output/universal-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import { addJson, addRuns, type FolderOptions, foldersOf, type JsonOption } from './options.ts';

/** `faultline report`: what an earlier campaign found. */
export const report: CommandDefinition = {
  name: 'report',
  summary: 'print what an earlier campaign found',
  examples: ['faultline report "$(faultline campaign list --json | jq -r ".[0].campaignId")"'],
  configure: (command) => {
    addRuns(command).argument('<run>', 'campaign identifier, as `campaign list` prints it');
    addJson(command, 'print report.json in place of tables').action(
      (run: string, options: FolderOptions & JsonOption) =>
        printReport(run, { json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

async function printReport(campaignId: string, { json, stack }: CommandOptions): Promise<void> {
  const { reportJson, folder, summary } = await inSession(stack, 'records', ({ score, signal }) =>
    knownCampaign(score.getCampaign({ context: CALLER, campaignId }, { signal })),
  );
  if (reportJson === '') {
    const why = summary?.error === undefined || summary.error === '' ? '' : `: ${summary.error}`;
    throw new UsageError(`campaign ${campaignId} has no report, because it has not succeeded${why}`);
  }
  if (json) {
    process.stdout.write(`${reportJson.trimEnd()}\n`);
    return;
  }
  const parsed = readReport(reportJson, reportFiles(folder));
  process.stdout.write(
    `${[...tradeOffTable(parsed), ...universalTable(parsed), '', ...reportFiles(folder)].join('\n').trimEnd()}\n`,
  );
}
