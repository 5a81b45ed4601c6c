import type { Cost } from '@faultline/victim';
import type { LoopProgress } from './ladder-loop.ts';

interface Count extends Cost {
  readonly stepsDone: number;
}

/** The work of a run: what is done, and the most that is still to come. Steps count once for each example. */
export class Work {
  #waiting: number;
  #now: Count = { stepsDone: 0, forwardExamples: 0, gradientExamples: 0 };
  #beforeLoop = this.#now;
  #told = 0;

  /** `steps`: the most that all loops together may take. */
  constructor(steps: number) {
    this.#waiting = steps;
  }

  /** Evaluations that led to the results. */
  get cost(): Cost {
    const { forwardExamples, gradientExamples } = this.#now;
    return { forwardExamples, gradientExamples };
  }

  /** A loop begins that may take this many of the waiting steps. */
  begin(steps: number): void {
    this.#waiting -= steps;
    this.#beforeLoop = this.#now;
  }

  /** Counts a piece of a loop's work; steps done and planned. Steps done never shrink, also where a loop runs anew. */
  add({ stepsDone, stepsLeft, cost }: LoopProgress): { readonly stepsDone: number; readonly stepsPlanned: number } {
    this.#now = {
      stepsDone: this.#now.stepsDone + stepsDone,
      forwardExamples: this.#now.forwardExamples + cost.forwardExamples,
      gradientExamples: this.#now.gradientExamples + cost.gradientExamples,
    };
    this.#told = Math.max(this.#told, this.#now.stepsDone);
    return {
      stepsDone: this.#told,
      stepsPlanned: Math.max(this.#told, this.#now.stepsDone + stepsLeft + this.#waiting),
    };
  }

  /** The loop that runs was lost and will be run anew: its work led to nothing. */
  forgetLoop(): void {
    this.#now = this.#beforeLoop;
  }
}
