// The report's shape belongs to every reader of a report, so it lives in a library.
export * from '@faultline/report';
