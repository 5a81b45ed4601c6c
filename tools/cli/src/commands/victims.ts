import { score, victim } from '@faultline/contracts';
import { CALLER } from '../campaign/caller.ts';
import { count } from '../output/figures.ts';
import { printJson, printLines } from '../output/print.ts';
import { type Column, textColumn, textTable } from '../output/text-table.ts';
import type { CommandDefinition } from './command-definition.ts';
import { type CommandOptions, inSession } from './in-session.ts';
import { addJson, addRuns, addVictims, type FolderOptions, foldersOf, type JsonOption } from './options.ts';

/** `faultline victims`: the models under attack. */
export const victims: CommandDefinition = {
  name: 'victims',
  summary: 'list the victims: inputs, labels, size, and whether they can be used',
  examples: ['faultline victims', 'faultline victims --json'],
  configure: (command) => {
    addJson(addVictims(addRuns(command))).action((options: FolderOptions & JsonOption) =>
      listVictims({ json: options.json === true, stack: foldersOf(options) }),
    );
  },
};

const { VICTIM_STATE_REACHABLE, VICTIM_STATE_UNREACHABLE } = score.VictimState;

async function listVictims({ json, stack }: CommandOptions): Promise<void> {
  const { victims } = await inSession(stack, 'predictions', ({ score, signal }) =>
    score.listVictims({ context: CALLER }, { signal }),
  );
  if (json) return printJson(victims.map(statusJson));
  const reasons = victims.flatMap(({ name, reason }) => (reason === '' ? [] : [`${name}: ${reason}`]));
  printLines([...textTable(COLUMNS, victims.map(row)), ...tapLines(victims), ...reasons]);
}

const COLUMNS: readonly Column[] = [
  textColumn('victim'),
  textColumn('state'),
  textColumn('inputs'),
  { title: 'labels' },
  { title: 'parameters' },
  { title: 'MACs' },
  textColumn('sha256'),
  textColumn('title'),
];

/** As much of a digest as people compare. */
const SHORT_DIGEST = 12;

function row({ name, state, card }: score.VictimStatus): string[] {
  return [
    name,
    stateName(state),
    (card?.inputs ?? []).map(inputText).join(', '),
    card === undefined ? '' : String(card.labels.length),
    card === undefined ? '' : count(card.parameters),
    card === undefined ? '' : count(card.macs),
    card?.sha256.slice(0, SHORT_DIGEST) ?? '',
    card?.title ?? '',
  ];
}

/** A line a tap: what attacks may change inside a victim, of the form of one example's value. */
function tapLines(victims: readonly score.VictimStatus[]): string[] {
  const rows = victims.flatMap(({ name, taps, card }) =>
    taps.map((tap, index) => {
      const logMel = card?.taps.find((one) => one.name === tap.name)?.logMel;
      const unit = logMel === undefined ? '' : `log-mel, ${Number(logMel.decibels.toFixed(2))} dB a unit`;
      return [index === 0 ? name : '', tap.name, tap.dims.join(' x '), unit];
    }),
  );
  return rows.length === 0 ? [] : ['', ...textTable(['victim', 'tap', 'shape', 'unit'].map(textColumn), rows)];
}

/** "waveform 2 s at 16000 Hz", "frames 8 x 64x64" */
function inputText({ name, kind }: victim.InputSpecification): string {
  switch (kind?.$case) {
    case 'waveform': {
      const { samples, sampleRateHz } = kind.value;
      return `${name} ${Number((samples / sampleRateHz).toFixed(2))} s at ${sampleRateHz} Hz`;
    }
    case 'frames': {
      const { frames, height, width, frameRateHz } = kind.value;
      return `${name} ${frames} of ${width}x${height} at ${frameRateHz} Hz`;
    }
    default:
      return name;
  }
}

const stateName = (state: score.VictimState): string =>
  state === VICTIM_STATE_REACHABLE ? 'ready' : state === VICTIM_STATE_UNREACHABLE ? 'unreachable' : 'unusable';

/** A victim as `--json` prints it; its card is the protobuf JSON of card.json. */
const statusJson = ({ name, address, state, reason, card, ...status }: score.VictimStatus) => ({
  name,
  state: stateName(state),
  reason,
  address,
  runtime: status.runtime,
  threads: status.threads,
  optimizeSlots: status.optimizeSlots,
  maxExamples: status.maxExamples,
  protocolVersion: status.protocolVersion,
  taps: status.taps,
  card: card === undefined ? null : victim.Card.toJSON(card),
});
