export interface Progress {
  readonly stage: string;
  readonly done: number;
  readonly of: number;
}

export type OnProgress = (progress: Progress) => void;

/** Time between two reports, on a terminal and elsewhere. */
const BAR_MS = 200;
const LINE_MS = 10_000;
const BAR_CELLS = 24;

/** Where progress is shown. */
export interface ProgressOutput {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A bar with the time to go on a terminal; a line now and then elsewhere. `now` in milliseconds. */
export function progressReporter(
  output: ProgressOutput = process.stderr,
  now: () => number = () => performance.now(),
): OnProgress {
  let started = { stage: '', at: 0, done: 0 };
  let shown = Number.NEGATIVE_INFINITY;
  return ({ stage, done, of }) => {
    const time = now();
    if (stage !== started.stage) started = { stage, at: time, done };
    if (done < of && time - shown < (output.isTTY ? BAR_MS : LINE_MS)) return;
    shown = time;
    const pace = (time - started.at) / Math.max(1, done - started.done);
    const left = done < of && done > started.done ? `, ${Math.ceil((pace * (of - done)) / 1000)} s to go` : '';
    const line = `${stage}: ${done} of ${of}${left}`;
    if (!output.isTTY) output.write(`${line}\n`);
    else {
      const full = Math.round((BAR_CELLS * done) / Math.max(1, of));
      const bar = `[${'='.repeat(full)}${' '.repeat(BAR_CELLS - full)}]`;
      output.write(`\r${bar} ${line}\x1b[K${done === of ? '\n' : ''}`);
    }
  };
}
