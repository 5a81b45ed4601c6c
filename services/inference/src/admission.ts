import { FaultlineError } from '@faultline/service-kit';
import type { LoopFootprint } from '@faultline/victim';

const MEBIBYTE = 2 ** 20;
const mebibytes = (bytes: number) => `${Math.ceil(bytes / MEBIBYTE)} MiB`;

/** Places and memory of attack loops; both are granted before anything is uploaded. */
export class Admission {
  readonly slots: number;
  readonly bytes: number;
  readonly #onChange: (usage: Usage) => void;
  readonly #loops = new Set<LoopFootprint>();
  #slotsUsed = 0;

  /** `bytes`: memory of all loops together. */
  constructor(limits: { readonly slots: number; readonly bytes: number }, onChange: (usage: Usage) => void = () => {}) {
    this.slots = limits.slots;
    this.bytes = limits.bytes;
    this.#onChange = onChange;
  }

  get usage(): Usage {
    return { slots: this.#slotsUsed, bytes: this.#bytesOf(this.#loops) };
  }

  /** Takes a place, given back on disposal. @throws FaultlineError resource_exhausted when all are taken. */
  takeSlot(): Disposable {
    if (this.#slotsUsed >= this.slots) {
      throw new FaultlineError(
        'resource_exhausted',
        `all ${this.slots} optimise slots are taken; try another replica, or again later`,
      );
    }
    this.#slotsUsed++;
    this.#onChange(this.usage);
    return onceDisposable(() => {
      this.#slotsUsed--;
      this.#onChange(this.usage);
    });
  }

  /**
   * Takes memory, given back on disposal.
   * @throws FaultlineError resource_exhausted when others hold too much of it, failed_precondition when it would not fit by itself.
   */
  takeBytes(footprint: LoopFootprint): MemoryGrant {
    const held = { ...footprint };
    this.#check(held, [...this.#loops, held]);
    this.#loops.add(held);
    this.#onChange(this.usage);
    const given = onceDisposable(() => {
      this.#loops.delete(held);
      this.#onChange(this.usage);
    });
    return Object.assign(given, {
      growTo: (wanted: LoopFootprint) => {
        const grown = {
          residentBytes: Math.max(held.residentBytes, wanted.residentBytes),
          workingBytes: Math.max(held.workingBytes, wanted.workingBytes),
        };
        this.#check(grown, [...[...this.#loops].filter((loop) => loop !== held), grown]);
        Object.assign(held, grown);
        this.#onChange(this.usage);
      },
    });
  }

  #check(loop: LoopFootprint, all: readonly LoopFootprint[]): void {
    const alone = this.#bytesOf([loop]);
    if (alone > this.bytes) {
      throw new FaultlineError(
        'failed_precondition',
        `the loop needs ${mebibytes(alone)} but this service grants loops ${mebibytes(this.bytes)} in all; open it with fewer examples or samples, or set FAULTLINE_LOOP_BYTES higher`,
      );
    }
    if (this.#bytesOf(all) <= this.bytes) return;
    const free = this.bytes - this.#bytesOf(all.filter((other) => other !== loop));
    throw new FaultlineError(
      'resource_exhausted',
      `the loop needs ${mebibytes(alone)} of loop memory, and other loops leave ${mebibytes(free)} of ${mebibytes(this.bytes)}; try another replica, or again later`,
    );
  }

  /** One loop computes at a time: the working memory of the hungriest is enough for all. */
  #bytesOf(loops: Iterable<LoopFootprint>): number {
    let resident = 0;
    let working = 0;
    for (const loop of loops) {
      resident += loop.residentBytes;
      working = Math.max(working, loop.workingBytes);
    }
    return resident + working;
  }
}

/** Memory that a loop holds. */
export interface MemoryGrant extends Disposable {
  /** Grows, never shrinks. @throws FaultlineError as `takeBytes`; the grant then stays as it is. */
  growTo(footprint: LoopFootprint): void;
}

/** What attack loops hold now. */
export interface Usage {
  readonly slots: number;
  readonly bytes: number;
}

function onceDisposable(giveBack: () => void): Disposable {
  let held = true;
  return {
    [Symbol.dispose]: () => {
      if (held) giveBack();
      held = false;
    },
  };
}
