import { type Histogram, metrics, type UpDownCounter } from '@opentelemetry/api';
import type { Usage } from './admission.ts';
import type { TurnObserver } from './compute.ts';

const MS_PER_S = 1_000;

/** What the service measures; names, units and attributes are listed in the README. */
export class InferenceMetrics {
  readonly #slots: UpDownCounter;
  readonly #bytes: UpDownCounter;
  readonly #wait: Histogram;
  readonly #work: Histogram;
  #told: Usage = { slots: 0, bytes: 0 };

  /** Telemetry must have been started before. */
  constructor(meter = metrics.getMeter('@faultline/service-inference')) {
    this.#slots = meter.createUpDownCounter('faultline.inference.slots.used', {
      unit: '{slot}',
      description: 'Attack loops that are open.',
    });
    this.#bytes = meter.createUpDownCounter('faultline.inference.loop.memory', {
      unit: 'By',
      description: 'Memory granted to attack loops.',
    });
    this.#wait = meter.createHistogram('faultline.inference.turn.wait', {
      unit: 's',
      description: 'Time a job waited for the compute thread.',
    });
    this.#work = meter.createHistogram('faultline.inference.turn.duration', {
      unit: 's',
      description: 'Time the compute thread worked on a job.',
    });
  }

  readonly usage = (usage: Usage): void => {
    this.#slots.add(usage.slots - this.#told.slots);
    this.#bytes.add(usage.bytes - this.#told.bytes);
    this.#told = usage;
  };

  readonly turn: TurnObserver = (kind, waitMs, workMs) => {
    const attributes = { 'faultline.job': kind };
    this.#wait.record(waitMs / MS_PER_S, attributes);
    this.#work.record(workMs / MS_PER_S, attributes);
  };
}
