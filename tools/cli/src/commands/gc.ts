import type { score } from '@faultline/contracts';
import { InvalidArgumentError } from 'commander';
import { CALLER } from '../campaign/caller.ts';
import { stateName, summaryJson } from '../campaign/campaign-summary.ts';
import { UsageError } from '../exit-code.ts';
import { bytes, counted, time } from '../output/figures.ts';
import { printJson, printLines } from '../output/print.ts';
import { textColumn, textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import { addJson, addRuns, type FolderOptions, foldersOf, type JsonOption, wholeNumber } from './options.ts';

interface GcOptions {
  readonly keepNewest?: number;
  readonly keepDays?: number;
  readonly dryRun?: true;
}

/** `faultline gc`: room on the disk. */
export const gc: CommandDefinition = {
  name: 'gc',
  summary: 'remove old campaigns, their files, and what no campaign needs any more; never one that runs',
  examples: ['faultline gc --keep-newest 20 --dry-run', 'faultline gc --keep-days 30 --keep-newest 5'],
  configure: (command) => {
    addRuns(command)
      .option('--keep-newest <count>', 'keep this many of the newest campaigns', wholeNumber(0))
      .option('--keep-days <days>', 'keep campaigns that ended within this many days', parseDays)
      .option('--dry-run', 'remove nothing, tell what would be');
    addJson(command).action((options: FolderOptions & JsonOption & GcOptions) =>
      collectGarbage(options, { json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

function parseDays(text: string): number {
  const days = Number(text);
  if (!Number.isFinite(days) || days < 0 || text.trim() === '') {
    throw new InvalidArgumentError('give a number of days from 0 up.');
  }
  return days;
}

async function collectGarbage(
  { keepNewest, keepDays, dryRun = false }: Omit<GcOptions, 'dryRun'> & { readonly dryRun?: boolean },
  { json, stack }: CommandOptions,
): Promise<void> {
  if (keepNewest === undefined && keepDays === undefined) {
    throw new UsageError(
      'say what to keep: --keep-newest COUNT, --keep-days DAYS, or both (a campaign stays when either keeps it)',
    );
  }
  const found = await inSession(stack, 'records', ({ score, signal }) =>
    score.collectGarbage({ context: CALLER, keepNewest, keepDays, dryRun }, { signal }),
  );
  if (json) return printJson(garbageJson(found));
  const rows = found.campaigns.flatMap(({ summary, bytes: size }) =>
    summary === undefined
      ? []
      : [[summary.campaignId, summary.name, stateName(summary.state), time(summary.endedAt), bytes(size)]],
  );
  const columns = [...['campaign', 'name', 'state', 'ended'].map(textColumn), { title: 'size' }];
  const parts = [
    counted(found.campaigns.length, 'campaign'),
    `${counted(found.artefacts, 'artefact')} (${bytes(found.artefactBytes)})`,
    `${counted(found.leftovers.length, 'left-over folder')} (${bytes(found.leftoverBytes)})`,
  ];
  const what = found.dryRun ? 'would be removed' : 'removed';
  const total = `${parts.join(', ')} ${what}: ${bytes(found.bytes)} in all; ${counted(found.keptCampaigns, 'campaign')} kept`;
  printLines([...(rows.length === 0 ? [] : textTable(columns, rows)), total]);
}

const garbageJson = ({ campaigns, ...totals }: score.CollectGarbageResponse) => ({
  dryRun: totals.dryRun,
  campaigns: campaigns.flatMap(({ summary, bytes }) =>
    summary === undefined ? [] : [{ ...summaryJson(summary), bytes }],
  ),
  artefacts: totals.artefacts,
  artefactBytes: totals.artefactBytes,
  leftovers: totals.leftovers,
  leftoverBytes: totals.leftoverBytes,
  bytes: totals.bytes,
  keptCampaigns: totals.keptCampaigns,
});
