import { buildVictim, type FeatureSpec, type VictimSpec } from '@faultline/fusion';
import type { KeptRun, RunHistory } from './kept-run.ts';

/**
 * Puts a victim together from parts that were trained apart: every parameter and running statistic comes from the part that has
 * it. Its cost is theirs.
 * @param command the command that puts it together
 * @throws RangeError when a part lacks what the victim needs, or two parts have the same.
 */
export function assemble(spec: VictimSpec | FeatureSpec, parts: readonly KeptRun[], command: string): KeptRun {
  const { parameters, statistics } = buildVictim(spec, { kind: 'evaluation' });
  const names = [
    ...parameters.map(({ name }) => name),
    ...statistics.flatMap(({ mean, variance }) => [mean, variance]),
  ];
  const weights = new Map(
    names.map((name) => {
      const [tensor, other] = parts.flatMap((part) => part.weights.get(name) ?? []);
      if (tensor === undefined) throw new RangeError(`no part holds '${name}'; give victims of the same branches`);
      if (other !== undefined) throw new RangeError(`two parts hold '${name}'; give one that hears and one that sees`);
      return [name, tensor];
    }),
  );
  const sum = (of: (cost: RunHistory['cost']) => number): number =>
    parts.reduce((total, { history }) => total + of(history.cost), 0);
  const processors = new Set(parts.map(({ history }) => history.cost.processor));
  return {
    weights,
    history: {
      command,
      bestStep: 0,
      curve: [],
      cost: {
        steps: sum(({ steps }) => steps),
        clips: sum(({ clips }) => clips),
        processorSeconds: sum(({ processorSeconds }) => processorSeconds),
        processor: [...processors].join(', '),
        threads: Math.max(...parts.map(({ history }) => history.cost.threads)),
      },
    },
  };
}
