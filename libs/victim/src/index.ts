export * from './black-box.ts';
export * from './budget-measure.ts';
export * from './card.ts';
export * from './loop.ts';
export * from './victim.ts';
