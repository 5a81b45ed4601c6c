export * from './card.ts';
export * from './victim.ts';
