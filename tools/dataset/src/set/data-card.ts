import { SPLITS, STRATA } from '../splits.ts';
import type { SetPart } from './open-set.ts';
import type { SetClip, SetManifest } from './set-manifest.ts';

/** With fewer groups than this, a figure of a label says more about the groups than about the label. */
const FEW_GROUPS = 5;

interface NamedPart {
  readonly name: string;
  readonly clips: readonly SetClip[];
}

/** Groups that a label of the clips comes from. */
const groupsOfLabel = (clips: readonly SetClip[], label: string): number =>
  new Set(clips.flatMap(({ events }) => events.flatMap((event) => (event.label === label ? event.groups : [])))).size;

const groupsOf = (clips: readonly SetClip[]): number => new Set(clips.flatMap(({ groups }) => groups)).size;

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Splits, the test by its strata where it has two. */
function partsOf({ clips }: SetManifest): NamedPart[] {
  const part = (name: string, { split, stratum }: SetPart): NamedPart => ({
    name,
    clips: clips.filter((clip) => clip.split === split && (stratum === undefined || clip.stratum === stratum)),
  });
  const hasSeen = clips.some(({ stratum }) => stratum === 'seen');
  return SPLITS.flatMap((split) =>
    split === 'test' && hasSeen
      ? STRATA.map((stratum) => part(`test, ${stratum}`, { split, stratum }))
      : [part(split, { split })],
  );
}

/** Clips by the values of a field, one part a column; the most frequent value first. */
function countTable(
  title: string,
  parts: readonly NamedPart[],
  valuesOf: (clip: SetClip) => readonly string[],
): string {
  const values = parts.flatMap(({ clips }) => clips.flatMap((clip) => [...new Set(valuesOf(clip))]));
  const totals = [...Map.groupBy(values, (value) => value)].map(([value, own]) => [value, own.length] as const);
  const ordered = totals.sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  return table(
    [title, ...parts.map(({ name }) => name)],
    ordered.map(([value]) => [
      value,
      ...parts.map(({ clips }) => clips.filter((clip) => valuesOf(clip).includes(value)).length),
    ]),
  );
}

/** Clips (groups) of each label. */
function labelTable({ labels }: SetManifest, parts: readonly NamedPart[]): string {
  return table(
    ['label', ...parts.map(({ name }) => name)],
    labels.map((label) => [
      label,
      ...parts.map(({ clips }) => {
        const own = clips.filter((clip) => clip.labels.includes(label));
        return `${own.length} (${groupsOfLabel(own, label)})`;
      }),
    ]),
  );
}

/** Clips that show each label in each style. */
function styleTable({ labels, clips }: SetManifest): string {
  const styles = [...new Set(clips.flatMap((clip) => clip.styles))].sort();
  const shows = ({ events }: SetClip, label: string, style: string) =>
    events.some((event) => event.label === label && event.styles.includes(style));
  return table(
    ['label', ...styles],
    labels.map((label) => [label, ...styles.map((style) => clips.filter((clip) => shows(clip, label, style)).length)]),
  );
}

const kindOf = ({ kind }: SetClip): string[] => (kind === null ? [] : [kind]);
const motionOf = ({ followsSound }: SetClip): string[] =>
  followsSound === null ? [] : [followsSound ? 'with the sound' : 'on their own'];

/**
 * The data card of a set, as Markdown: counts, sources, licences, picture styles, and what is weak about it.
 * @param weaknesses known beside what counting shows, a sentence each
 */
export function dataCard(manifest: SetManifest, weaknesses: readonly string[]): string {
  const { name, clips, labels, tensors, leftOut } = manifest;
  const parts = partsOf(manifest);
  const counted = [...labelWeaknesses(manifest, parts), ...setWeaknesses(manifest), ...weaknesses];
  const shapes = Object.entries(tensors).map(([tensor, dims]) => `${tensor} [${dims.join(', ')}]`);
  const kinds = clips.some(({ kind }) => kind !== null)
    ? `\n## Kinds\n\n${countTable('kind', parts, kindOf)}\n\n${countTable('pictures move', parts, motionOf)}\n`
    : '';
  return `# Data card: ${name}

${clips.length} clips of ${groupsOf(clips)} groups, ${labels.length} labels; ${shapes.join(', ')} a clip. Split by group: no group, and no data, is
in two splits.

${table(
  ['split', 'clips', 'groups'],
  parts.map(({ name: part, clips: own }) => [part, own.length, groupsOf(own)]),
)}
${kinds}
## Labels

Clips (groups of the label's own sounds and pictures) of each label.

${labelTable(manifest, parts)}

## Licences

${countTable('licence', parts, ({ licence }) => [licence])}

## Sources

Clips that use each source.

${countTable('attribution', parts, ({ attribution }) => attribution)}

## Picture styles

${countTable('style', parts, ({ styles }) => styles)}

Clips that show each label, by the style of its picture.

${styleTable(manifest)}

## Known weaknesses

${counted.length === 0 ? 'None that counting shows.' : counted.map((line) => `- ${line}`).join('\n')}

## Left out

${
  leftOut.length === 0
    ? 'Nothing.'
    : table(
        ['clip', 'reason'],
        leftOut.map(({ id, reason }) => [id, reason]),
      )
}
`;
}

function labelWeaknesses({ clips, labels }: SetManifest, parts: readonly NamedPart[]): string[] {
  return labels.flatMap((label) => {
    const own = clips.filter((clip) => clip.labels.includes(label));
    const few = parts.flatMap(({ name, clips: inPart }) => {
      const groups = groupsOfLabel(inPart, label);
      return groups > 0 && groups < FEW_GROUPS ? [`${groups} group(s) in ${name}`] : [];
    });
    const absent = parts.filter((part) => !part.clips.some((clip) => clip.labels.includes(label)));
    return [
      ...(absent.length > 0
        ? [
            `"${label}" does not occur in ${absent.map(({ name }) => name).join(' and ')}: its figures there are undefined.`,
          ]
        : []),
      ...(few.length > 0
        ? [`"${label}" comes from ${few.join(', ')}: what is learnt or measured there may be their origin.`]
        : []),
      ...(own.length === clips.length ? [`"${label}" is in every clip: nothing can be learnt of it.`] : []),
    ];
  });
}

const UNKNOWN = 'unknown';

function setWeaknesses({ clips, leftOut }: SetManifest): string[] {
  const withoutLicence = clips.filter(({ licence }) => licence === UNKNOWN).length;
  const withoutStyle = clips.filter(({ styles }) => styles.includes(UNKNOWN)).length;
  return [
    ...(withoutLicence > 0 ? [`The licence of ${withoutLicence} clip(s) is unknown: do not publish them.`] : []),
    ...(withoutStyle > 0
      ? [`The picture style of ${withoutStyle} clip(s) is unknown: figures by style leave them out.`]
      : []),
    ...(leftOut.length > 0 ? [`${leftOut.length} clip(s) could not be read: see below.`] : []),
  ];
}
