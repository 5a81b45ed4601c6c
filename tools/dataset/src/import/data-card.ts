import { SPLITS } from '../splits.ts';
import type { ImportedClip, ImportedManifest } from './import-set.ts';

/** What importing noticed beside the manifest. */
export interface Observed {
  readonly silent: readonly string[];
  readonly still: readonly string[];
  /** Clips whose listing names no group. */
  readonly ungrouped: number;
}

/** With fewer groups than this, a figure of a label says more about the groups than about the label. */
const FEW_GROUPS = 5;
const LISTED = 10;

const groupsOf = (clips: readonly ImportedClip[]): number => new Set(clips.map(({ group }) => group)).size;

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]) =>
    `| ${cells.map((cell) => String(cell).replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** Counts of a field's values, the most frequent first. */
function counts(clips: readonly ImportedClip[], field: 'licence' | 'attribution' | 'style') {
  const byValue = Map.groupBy(clips, (clip) => clip[field]);
  return [...byValue]
    .map(([value, own]) => [value, own.length] as const)
    .sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
}

/** The data card of an imported set, as Markdown: counts, sources, licences, picture styles, and what is weak about it. */
export function dataCard(manifest: ImportedManifest, observed: Observed): string {
  const { name, clips, labels, tensors, leftOut } = manifest;
  const ofSplit = (split: string) => clips.filter((clip) => clip.split === split);
  const weaknesses = [...labelWeaknesses(manifest), ...setWeaknesses(manifest, observed)];
  const shapes = Object.entries(tensors).map(([tensor, dims]) => `${tensor} [${dims.join(', ')}]`);
  return `# Data card: ${name}

${clips.length} clips of ${groupsOf(clips)} groups, ${labels.length} labels; ${shapes.join(', ')} a clip. Split by group: no group, and no data, is
in two splits.

${table(
  ['split', 'clips', 'groups'],
  SPLITS.map((split) => [split, ofSplit(split).length, groupsOf(ofSplit(split))]),
)}

## Labels

Clips (groups) of each label.

${table(
  ['label', ...SPLITS],
  labels.map((label) => [
    label,
    ...SPLITS.map((split) => {
      const own = ofSplit(split).filter((clip) => clip.labels.includes(label));
      return `${own.length} (${groupsOf(own)})`;
    }),
  ]),
)}

## Licences

${table(['licence', 'clips'], counts(clips, 'licence'))}

## Sources

${table(['attribution', 'clips'], counts(clips, 'attribution'))}

## Picture styles

${table(['style', 'clips'], counts(clips, 'style'))}

## Known weaknesses

${weaknesses.length === 0 ? 'None that counting shows.' : weaknesses.map((line) => `- ${line}`).join('\n')}

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

function labelWeaknesses({ clips, labels }: ImportedManifest): string[] {
  return labels.flatMap((label) => {
    const own = clips.filter((clip) => clip.labels.includes(label));
    const absent = SPLITS.filter((split) => !own.some((clip) => clip.split === split));
    return [
      ...(absent.length > 0
        ? [`"${label}" does not occur in ${absent.join(' and ')}: its figures there are undefined.`]
        : []),
      ...(groupsOf(own) < FEW_GROUPS
        ? [`"${label}" comes from ${groupsOf(own)} group(s): a victim may learn the origin in its place.`]
        : []),
      ...(own.length === clips.length ? [`"${label}" is in every clip: nothing can be learnt of it.`] : []),
    ];
  });
}

function setWeaknesses({ clips, leftOut }: ImportedManifest, { silent, still, ungrouped }: Observed): string[] {
  const some = (ids: readonly string[]) => `${ids.slice(0, LISTED).join(', ')}${ids.length > LISTED ? ', ...' : ''}`;
  const unknown = (field: 'licence' | 'attribution' | 'style') =>
    clips.filter((clip) => clip[field] === 'unknown').length;
  return [
    ...(ungrouped > 0
      ? [
          `${ungrouped} clip(s) have no group in the listing and count as groups of their own: related recordings may be in two splits.`,
        ]
      : []),
    ...(unknown('licence') > 0
      ? [`The licence of ${unknown('licence')} clip(s) is unknown: do not publish them.`]
      : []),
    ...(unknown('style') > 0
      ? [`The picture style of ${unknown('style')} clip(s) is unknown: figures by style leave them out.`]
      : []),
    ...(silent.length > 0 ? [`${silent.length} clip(s) are digitally silent: ${some(silent)}.`] : []),
    ...(still.length > 0 ? [`${still.length} clip(s) show a picture that never changes: ${some(still)}.`] : []),
    ...(leftOut.length > 0 ? [`${leftOut.length} clip(s) could not be read: see below.`] : []),
  ];
}
