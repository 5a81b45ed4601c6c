/** Where the work stands. */
export interface Progress {
  /** Share done, in [0, 1]. */
  readonly progress: number;
  /** Seconds left; negative: not known yet. */
  readonly remainingSeconds: number;
  /** What is being done. */
  readonly activity: string;
}

const BAR_WIDTH = 24;

/** Width of a terminal that does not say how wide it is. */
const DEFAULT_COLUMNS = 80;

/** Without a terminal, a line is written when this much more is done. */
const SPARSE_SHARE = 0.1;

/** Shows progress: one line that is rewritten on a terminal, now and then a new line elsewhere. */
export class ProgressLine implements Disposable {
  readonly #stream: NodeJS.WriteStream;
  #shownShare = Number.NEGATIVE_INFINITY;
  #open = false;

  constructor(stream: NodeJS.WriteStream = process.stderr) {
    this.#stream = stream;
  }

  show(progress: Progress): void {
    if (this.#stream.isTTY) {
      // Carriage return, text, clear to the end of the line; a longer line would wrap and leave its start behind.
      this.#stream.write(`\r${formatProgress(progress).slice(0, (this.#stream.columns || DEFAULT_COLUMNS) - 1)}\x1b[K`);
      this.#open = true;
    } else if (progress.progress >= this.#shownShare + SPARSE_SHARE) {
      this.#shownShare = progress.progress;
      this.#stream.write(`${formatProgress(progress)}\n`);
    }
  }

  /** Says what goes on while nothing can be measured yet; on a terminal alone. */
  say(activity: string): void {
    if (!this.#stream.isTTY) return;
    this.#stream.write(`\r${activity.slice(0, (this.#stream.columns || DEFAULT_COLUMNS) - 1)}\x1b[K`);
    this.#open = true;
  }

  /** Clears the line, so that what is written next starts on a fresh one. */
  [Symbol.dispose](): void {
    if (this.#open) this.#stream.write('\r\x1b[K');
    this.#open = false;
  }
}

/** "[######                  ]  25 %  1:05 left  late: linf-waveform" */
export function formatProgress({ progress, remainingSeconds, activity }: Progress): string {
  const share = Math.min(1, Math.max(0, progress));
  const done = Math.floor(share * BAR_WIDTH);
  const bar = '#'.repeat(done) + ' '.repeat(BAR_WIDTH - done);
  const percent = String(Math.floor(share * 100)).padStart(3);
  const left = remainingSeconds < 0 ? '-:-- left' : `${formatMinutes(remainingSeconds)} left`;
  return `[${bar}] ${percent} %  ${left}  ${activity}`.trimEnd();
}

/** "1:05" */
export function formatMinutes(seconds: number): string {
  const whole = Math.ceil(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}
