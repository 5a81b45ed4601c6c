import type { Likeness, SourceOutcome } from './package-worker.ts';
import type { ListedSource } from './source-list.ts';

const LIKENESSES: readonly Likeness[] = ['match', 'near', 'differs', 'other notes'];
/** Reasons of one package that are listed. */
const LISTED = 3;

const WEAKNESSES = `- Sound font phrases are random notes, not music; their notes are not those of the original pack.
- Thin audio: dog, horse and vehicle come from a dozen groups or fewer. Thin photos: brass, horse, drum, gunshot, aircraft, guitar, dog.
- The speech pictures are people, mostly whole bodies, not talking faces.
- Labels come from file names, not from listening. Doubtful: bubbles, lakes and wading steps as water, game bullets and explosions that are
  synthetic, dingo as dog, chamois, bison and yak as livestock, fireworks and a smoke cloud as gunshot.
- Noise may hold faint birds, voices or traffic.`;

const isMade = (outcome: SourceOutcome | undefined, likeness: Likeness): boolean =>
  outcome !== undefined && 'likeness' in outcome && outcome.likeness === likeness;

/** Counts of a package's sources by what became of them, the missing ones last. */
export function likenessCounts(
  sources: readonly ListedSource[],
  outcomes: ReadonlyMap<string, SourceOutcome>,
): { readonly name: string; readonly counts: readonly number[] }[] {
  const packages = [...Map.groupBy(sources, (source) => source.package)].sort(([a], [b]) => (a < b ? -1 : 1));
  return packages.map(([name, own]) => {
    const made = LIKENESSES.map((likeness) => own.filter(({ id }) => isMade(outcomes.get(id), likeness)).length);
    return { name, counts: [...made, own.length - made.reduce((sum, count) => sum + count, 0)] };
  });
}

/** What is in a rebuilt pack, and how it compares with the original. */
export function packReadme(sources: readonly ListedSource[], outcomes: ReadonlyMap<string, SourceOutcome>): string {
  const rows = likenessCounts(sources, outcomes);
  const total = rows.reduce((sums, { counts }) => sums.map((sum, at) => sum + (counts[at] ?? 0)), [0, 0, 0, 0, 0]);
  const line = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`;
  const missing = rows.flatMap(({ name }) => {
    const reasons = sources.flatMap(({ id, package: from }) => {
      const outcome = outcomes.get(id);
      return from === name && outcome && 'missing' in outcome ? [`${id}: ${outcome.missing}`] : [];
    });
    return reasons.length === 0 ? [] : [`- ${name} (${reasons.length}): ${reasons.slice(0, LISTED).join('; ')}`];
  });
  return `# Source pack, rebuilt from packages

Counts of sources by how they compare with those of the original pack: by a 64-bit fingerprint of the picture or of the sound's loudness over
time, \`match\` up to 6 bits, \`near\` up to 16.

${line(['package', ...LIKENESSES, 'missing'])}
${line(['---', ...total.map(() => '---')])}
${rows.map(({ name, counts }) => line([name, ...counts])).join('\n')}
${line(['all', ...total])}

## Missing

${missing.length === 0 ? 'Nothing.' : missing.join('\n')}

## Known weaknesses

${WEAKNESSES}
`;
}
