import assert from 'node:assert/strict';
import { test } from 'node:test';
import { victim } from '@faultline/contracts';
import { CardError } from './card-error.ts';
import { checkFigures } from './card-figures.ts';

const LABELS = ['dog', 'bird'];
const share = { share: 0.5, low: 0.4, high: 0.6 };
const card = victim.Card.fromPartial({
  inputs: [{ name: 'waveform' }],
  metrics: [
    {
      split: 'test-unseen',
      clips: 9,
      meanAveragePrecision: 0.5,
      areaUnderCurve: 0.8,
      labels: LABELS.map((label) => ({ label, positives: 3, averagePrecision: 0.5 })),
      styles: [{ style: 'photo', clips: 4, meanAveragePrecision: 0.5 }],
    },
  ],
  seedSpread: {
    split: 'test-unseen',
    seeds: [1, 2],
    meanAveragePrecisions: [0.5, 0.6],
    mean: 0.55,
    standardDeviation: 0.07,
  },
  robustness: [{ clips: 9, budgets: [{ variable: 'waveform', epsilon: 0.01 }], clean: share, attacked: share }],
});

/** The same card with one part changed. */
function changed(change: (card: victim.Card) => void): victim.Card {
  const copy = victim.Card.fromPartial(structuredClone(card));
  change(copy);
  return copy;
}

test('figures in their ranges pass; what is out of range, or of another card, is named', () => {
  checkFigures(card, LABELS);
  const refused = (field: string, change: (card: victim.Card) => void) =>
    assert.throws(
      () => checkFigures(changed(change), LABELS),
      (error: Error) => error instanceof CardError && error.field === field,
      field,
    );
  refused('metrics[0].meanAveragePrecision', ({ metrics: [first] }) =>
    Object.assign(first ?? {}, { meanAveragePrecision: 70 }),
  );
  refused('metrics[0].labels', ({ metrics: [first] }) => first?.labels.reverse());
  refused('metrics[0].styles[photo].meanAveragePrecision', ({ metrics: [first] }) =>
    Object.assign(first?.styles[0] ?? {}, { meanAveragePrecision: -1 }),
  );
  refused('seedSpread.seeds', ({ seedSpread }) => Object.assign(seedSpread ?? {}, { seeds: [1, 1] }));
  refused('seedSpread.meanAveragePrecisions', ({ seedSpread }) => seedSpread?.meanAveragePrecisions.pop());
  refused('robustness[0].budgets', ({ robustness: [first] }) =>
    Object.assign(first ?? {}, { budgets: [{ variable: 'frames', epsilon: 1 }] }),
  );
  refused('robustness[0].attacked', ({ robustness: [first] }) =>
    Object.assign(first ?? {}, { attacked: { share: 0.7, low: 0.4, high: 0.6 } }),
  );
});
