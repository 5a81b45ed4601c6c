export * from './report.ts';
export * from './universal-report.ts';
