import { victim } from '@faultline/contracts';
import { meanAndDeviation } from '../mean-and-deviation.ts';
import { percent } from '../print-figures.ts';
import { markdownTable } from './markdown-table.ts';

const BEGIN = '<!-- victims: made by tools/train/src/table/write-tables.ts from the cards -->';
const END = '<!-- end of victims -->';

/** What a card does not tell. */
const UNKNOWN = '-';

/** The set that the tables by label and style are of. */
const DETAIL_SPLIT = 'test-unseen';

/** From single modalities to later and later fusion; within a kind by name. */
const READING_ORDER: readonly victim.FusionVariant[] = [
  victim.FusionVariant.FUSION_VARIANT_AUDIO_ONLY,
  victim.FusionVariant.FUSION_VARIANT_VISUAL_ONLY,
  victim.FusionVariant.FUSION_VARIANT_EARLY,
  victim.FusionVariant.FUSION_VARIANT_MID,
  victim.FusionVariant.FUSION_VARIANT_LATE,
  victim.FusionVariant.FUSION_VARIANT_DECISION,
  victim.FusionVariant.FUSION_VARIANT_UNSPECIFIED,
];

const inReadingOrder = (cards: readonly victim.Card[]): victim.Card[] =>
  cards.toSorted((a, b) => {
    const kinds = READING_ORDER.indexOf(a.fusion) - READING_ORDER.indexOf(b.fusion);
    return kinds === 0 ? (a.name < b.name ? -1 : 1) : kinds;
  });

const metricsOf = (card: victim.Card, split: string): victim.CleanMetrics | undefined =>
  card.metrics.find((metrics) => metrics.split === split);

const orUnknown = (share: number | undefined): string => (share === undefined ? UNKNOWN : percent(share));

/** All tables of the reference victims, in Markdown. */
export function zooTables(cards: readonly victim.Card[]): string {
  const ordered = inReadingOrder(cards);
  return [
    cleanTable(ordered),
    ...leadTable(ordered),
    '### Robustness',
    robustnessTable(ordered),
    ...gainTable(ordered),
    '### By label and by style of the pictures',
    detailTable(ordered),
  ].join('\n\n');
}

function cleanTable(cards: readonly victim.Card[]): string {
  const splits = ['validation', DETAIL_SPLIT, 'test-seen', 'clips-unseen', 'clips-seen'];
  const header = ['victim', 'parameters', 'MACs', ...splits, 'seeds', 'other sound', 'other pictures', 'minutes'];
  const rows = cards.map((card) => {
    const unseen = metricsOf(card, DETAIL_SPLIT);
    const { seedSpread: spread, trainingCost: cost } = card;
    return [
      `\`${card.name}\``,
      card.parameters.toLocaleString('en'),
      `${(card.macs / 1e6).toFixed(1)} M`,
      ...splits.map((split) => orUnknown(metricsOf(card, split)?.meanAveragePrecision)),
      spread === undefined ? UNKNOWN : `${percent(spread.mean)} ± ${percent(spread.standardDeviation)}`,
      orUnknown(unseen?.otherSoundPrecision),
      orUnknown(unseen?.otherPicturesPrecision),
      cost === undefined ? UNKNOWN : (cost.processorSeconds / 60).toFixed(0),
    ];
  });
  return markdownTable(header, rows);
}

/**
 * How far a fusion leads the better of its branches, seed by seed: trainings of one seed share their branches, so that the spread of the leads is
 * smaller than that of the figures. Nothing where too little is known.
 */
function leadTable(cards: readonly victim.Card[]): string[] {
  const spreads = cards.flatMap(({ name, fusion, seedSpread }) =>
    seedSpread ? [{ name, fusion, ...seedSpread }] : [],
  );
  const branches = ['audio', 'visual'].flatMap((branch) => spreads.find(({ name }) => name === branch) ?? []);
  const [first] = branches;
  if (first === undefined || branches.length < 2) return [];
  const figure = ({ seeds, meanAveragePrecisions }: victim.SeedSpread, seed: number): number =>
    meanAveragePrecisions[seeds.indexOf(seed)] ?? Number.NaN;
  const leads = spreads
    .filter((spread) => !branches.includes(spread))
    .map((fusion) => ({
      name: fusion.name,
      values: first.seeds.map(
        (seed) => figure(fusion, seed) - Math.max(...branches.map((branch) => figure(branch, seed))),
      ),
    }))
    .filter(({ values }) => values.every(Number.isFinite));
  const rows = leads.map(({ name, values }) => {
    const { mean, deviation } = meanAndDeviation(values);
    return [`\`${name}\``, values.map(percent).join(', '), `${percent(mean)} ± ${percent(deviation)}`];
  });
  if (rows.length === 0) return [];
  const seeds = first.seeds.join(', ');
  return [markdownTable(['fusion', `lead over its better branch, seeds ${seeds}`, 'mean ± deviation'], rows)];
}

/** One column a choice of variables; of its budgets the middle one, where the ladder tells victims apart. */
function robustnessTable(cards: readonly victim.Card[]): string {
  const threats = [['waveform'], ['frames'], ['waveform', 'frames']];
  const figures = (card: victim.Card, variables: readonly string[]) =>
    card.robustness.filter(({ budgets }) => budgets.map(({ variable }) => variable).join() === variables.join());
  const titles = threats.map((variables) => {
    const budgets = new Set(cards.flatMap((card) => middle(figures(card, variables)) ?? []).map(budgetsOf));
    return [...budgets].join('; ') || variables.join(', ');
  });
  const rows = cards.map((card) => {
    const told = threats.flatMap((variables) => {
      const figure = middle(figures(card, variables));
      return [shareOf(figure?.attacked), figure?.noise === undefined ? UNKNOWN : percent(figure.noise.share)];
    });
    return [`\`${card.name}\``, shareOf(card.robustness[0]?.clean), ...told];
  });
  return markdownTable(['victim', 'clean', ...titles.flatMap((title) => [title, 'noise'])], rows);
}

/** What a defence gains, at every budget; nothing where no victim was compared with another. */
function gainTable(cards: readonly victim.Card[]): string[] {
  const rows = cards.flatMap((card) =>
    card.robustness.flatMap((figure) =>
      figure.gains.map(({ against, difference, low, high }) => [
        `\`${card.name}\` against \`${against}\``,
        budgetsOf(figure),
        `${percent(difference)} [${percent(low)}, ${percent(high)}]`,
      ]),
    ),
  );
  return rows.length === 0 ? [] : [markdownTable(['robust clips gained', 'budget', 'difference'], rows)];
}

const middle = <T>(values: readonly T[]): T | undefined => values[Math.floor((values.length - 1) / 2)];

const budgetsOf = ({ budgets }: victim.RobustnessFigure): string =>
  budgets.map(({ variable, epsilon }) => `${variable} ${Number(epsilon.toPrecision(3))}`).join(', ');

const shareOf = (share: victim.ClipShare | undefined): string =>
  share === undefined ? UNKNOWN : `${percent(share.share)} [${percent(share.low)}, ${percent(share.high)}]`;

function detailTable(cards: readonly victim.Card[]): string {
  const told = cards.flatMap((card) => metricsOf(card, DETAIL_SPLIT) ?? []);
  const labels = [...new Set(told.flatMap((metrics) => metrics.labels.map(({ label }) => label)))];
  const styles = [...new Set(told.flatMap((metrics) => metrics.styles.map(({ style }) => style)))];
  const of = (card: victim.Card) => metricsOf(card, DETAIL_SPLIT);
  const rows = [
    ...labels.map((label) => [
      label,
      ...cards.map((card) => orUnknown(of(card)?.labels.find((entry) => entry.label === label)?.averagePrecision)),
    ]),
    ...styles.map((style) => [
      `*${style}*`,
      ...cards.map((card) => orUnknown(of(card)?.styles.find((entry) => entry.style === style)?.meanAveragePrecision)),
    ]),
  ];
  return markdownTable([DETAIL_SPLIT, ...cards.map(({ name }) => `\`${name}\``)], rows);
}

/** The README with its tables renewed. @throws Error when it has no place for them. */
export function withTables(readme: string, tables: string): string {
  const [before, after] = readme.split(BEGIN);
  const end = after?.indexOf(END) ?? -1;
  if (before === undefined || after === undefined || end < 0) {
    throw new Error(`the README has no lines '${BEGIN}' and '${END}'; write them where the tables belong`);
  }
  return `${before}${BEGIN}\n\n${tables}\n\n${after.slice(end)}`;
}
