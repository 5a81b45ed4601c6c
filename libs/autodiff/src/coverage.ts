import { DECOMPOSITIONS } from './decompositions/index.ts';
import { ESTIMATES, RULES, STOPS } from './rules/index.ts';

/** The table of operators in the README, made from the tables of the code. */
export function coverageTable(): string {
  const row = (what: string, ops: Iterable<string>) => `| ${what} | ${[...ops].sort().join(' ')} |`;
  return [
    '| gradient | operators |',
    '| --- | --- |',
    row(
      'by rule',
      Object.keys(RULES).filter((op) => !ESTIMATES.has(op)),
    ),
    row('by writing the operator out', Object.keys(DECOMPOSITIONS)),
    row('straight through, an estimate', ESTIMATES),
    row('none: constant almost everywhere, or of shapes alone', STOPS),
  ].join('\n');
}
