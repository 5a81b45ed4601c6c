/**
 * Victims that a command starts: all where nobody names any; else those that are named, and those that attacks craft on.
 * @param surrogates may be empty, or hold empty names
 */
export function startedVictims(named: readonly string[], surrogates: readonly string[]): readonly string[] {
  return named.length === 0 ? named : [...new Set([...named, ...surrogates.filter((name) => name !== '')])];
}
