import type { ShardIndex } from './shards.ts';

const LISTED = 10;

/** What was noticed while shards were made, a sentence each. */
export function observedWeaknesses(indexes: readonly ShardIndex[]): string[] {
  const some = (ids: readonly string[]) => `${ids.slice(0, LISTED).join(', ')}${ids.length > LISTED ? ', ...' : ''}`;
  const silent = indexes.flatMap((index) => index.silent);
  const still = indexes.flatMap((index) => index.still);
  return [
    ...(silent.length > 0 ? [`${silent.length} clip(s) are digitally silent: ${some(silent)}.`] : []),
    ...(still.length > 0 ? [`${still.length} clip(s) show a picture that never changes: ${some(still)}.`] : []),
  ];
}
