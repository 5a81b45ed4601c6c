import type { attack } from '@faultline/contracts';
import type { Course, CoursePoint, EvidenceReport, Quartiles } from '@faultline/report';

/** What a report of evidence is made of. */
export interface EvidenceParts {
  readonly examples: readonly attack.ExampleEvidence[];
  /** Scales of the rungs that the attack climbed; empty: it searched. */
  readonly rungs: number;
  readonly clips: number;
  /** By clip, the smallest rung of this attack with a verified success (0 of a search); clips without one are not in it. */
  readonly verified: ReadonlyMap<number, number>;
  /** Clips that had the goal when clean. */
  readonly reachedWhenClean: ReadonlySet<number>;
  /** A goal counts as reached at or below minus this margin. */
  readonly tau: number;
  /** Largest scale that counts. */
  readonly limit: number;
}

/** Aggregates what loops told of clips and rungs; null where they told nothing. */
export function evidenceReport(parts: EvidenceParts): EvidenceReport | null {
  const { examples, rungs } = parts;
  if (examples.length === 0) return null;
  const evaluations = sum(examples.map((one) => one.evaluations));
  const variables = [...new Set(examples.flatMap(({ gradients }) => gradients.map(({ variable }) => variable)))];
  return {
    courses:
      rungs === 0
        ? [courseOf(parts, null)]
        : Array.from({ length: rungs }, (_, rung) => courseOf(parts, rung)).filter(({ points }) => points.length > 0),
    evaluations,
    rises: sum(examples.map((one) => one.rises)) / Math.max(1, evaluations),
    gradients: variables.map((variable) => {
      const own = examples.flatMap(({ gradients }) => gradients.filter((one) => one.variable === variable));
      return {
        variable,
        zeroShare: sum(own.map(({ zeros }) => zeros)) / Math.max(1, sum(own.map((one) => one.evaluations))),
        largest: Math.max(...own.map(({ largest }) => largest)),
      };
    }),
    silentSuccesses: silentSuccesses(parts),
  };
}

/** Clips and rungs on which a point of the path reached the goal, while no candidate up to that rung was confirmed. */
function silentSuccesses({ examples, rungs, verified, tau, limit }: EvidenceParts): number {
  // A search walks beyond its limit too: what counts is where it believes to have ended.
  const isBelieved = ({ lowestMargin, bestByRestart }: attack.ExampleEvidence) =>
    rungs === 0 ? (bestByRestart.at(-1) ?? Number.POSITIVE_INFINITY) <= limit : lowestMargin <= -tau;
  const silent = examples.filter(
    (one) => isBelieved(one) && !((verified.get(one.clip) ?? Number.POSITIVE_INFINITY) <= (one.rung ?? 0)),
  );
  return new Set(silent.map(({ clip, rung }) => `${clip} ${rung}`)).size;
}

/** The course at one rung: of each clip the earliest success at that rung or a smaller one, as larger budgets include smaller ones. */
function courseOf(parts: EvidenceParts, rung: number | null): Course {
  const { examples, clips, verified, reachedWhenClean } = parts;
  const isHere = (one: attack.ExampleEvidence) => rung === null || one.rung === rung;
  const isBelow = (one: attack.ExampleEvidence) => rung === null || (one.rung ?? 0) <= rung;
  const first = examples.filter((one) => one.member === 0);
  const paths = first.filter((one) => isHere(one) && !reachedWhenClean.has(one.clip)).map(({ path }) => path);
  const confirmed = examples.filter(
    (one) => isBelow(one) && (verified.get(one.clip) ?? Number.POSITIVE_INFINITY) <= (rung ?? 0),
  );
  const share = (test: (one: attack.ExampleEvidence) => boolean) => {
    const reached = new Set([...reachedWhenClean, ...confirmed.filter(test).map(({ clip }) => clip)]);
    return reached.size / clips;
  };
  const steps = [...new Set(paths.flatMap((path) => path.map(({ step }) => step)))].sort((a, b) => a - b);
  const stages = stagesOf(examples.filter(isBelow));
  return {
    rung,
    points: steps.map((step): CoursePoint => {
      const at = paths.flatMap((path) => path.findLast((point) => point.step <= step) ?? []);
      return {
        step,
        reached: share(
          ({ member, reachedRestart, reachedStep = 0 }) => member === 0 && reachedRestart === 0 && reachedStep <= step,
        ),
        margin: quartiles(at.map(({ margin }) => margin)),
        scale: rung === null ? quartiles(at.map(({ best }) => best)) : null,
      };
    }),
    byRestart: stages.map(([member, restart]) =>
      share(
        (one) =>
          one.reachedRestart !== undefined &&
          (one.member < member || (one.member === member && one.reachedRestart <= restart)),
      ),
    ),
  };
}

/** Restarts of each attack of an ensemble, in the order in which they run: [member, restart]. */
function stagesOf(examples: readonly attack.ExampleEvidence[]): [member: number, restart: number][] {
  const most = new Map<number, number>();
  for (const { member, bestByRestart } of examples) {
    most.set(member, Math.max(most.get(member) ?? 0, bestByRestart.length));
  }
  return [...most]
    .sort(([a], [b]) => a - b)
    .flatMap(([member, count]) => Array.from({ length: count }, (_, restart): [number, number] => [member, restart]));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Lower quartiles of values of which some may be infinite: those are null. Values that are no numbers do not count. */
function quartiles(values: readonly number[]): Quartiles {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
  const at = (share: number) => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
    return value === undefined || !Number.isFinite(value) ? null : value;
  };
  return { low: at(0.25), median: at(0.5), high: at(0.75) };
}
