/** Figures for people: short, and a dash where there is none. */

/** A share or mAP as a percentage, "87". */
export const percent = (share: number | null): string => (share === null ? '-' : String(Math.round(share * 100)));

/** A ratio with three decimals, "0.713". */
export const ratio = (value: number | null): string => (value === null ? '-' : value.toFixed(3));

/** A count with a unit prefix, "42.1k", "18.3M". */
export function count(value: number): string {
  if (value < 1_000) return String(value);
  return value < 1_000_000 ? `${(value / 1_000).toFixed(1)}k` : `${(value / 1_000_000).toFixed(1)}M`;
}

const SIGNIFICANT_DIGITS = 3;

/** A budget with three significant digits, "0.00392". */
export const budget = (value: number): string => String(Number(value.toPrecision(SIGNIFICANT_DIGITS)));

/** "850 ms", "12.3 s", "2:05 min" */
export function duration(milliseconds: number): string {
  if (milliseconds < 1_000) return `${Math.round(milliseconds)} ms`;
  if (milliseconds < 60_000) return `${(milliseconds / 1_000).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1_000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')} min`;
}

/** Seconds of UTC for people, "2026-11-22 23:38:29Z"; empty when there is no time. */
export const time = (date: Date | undefined): string =>
  date === undefined
    ? ''
    : date
        .toISOString()
        .replace('T', ' ')
        .replace(/\.\d+Z$/, 'Z');

/** "512 B", "1.4 MB", powers of 1,000. */
export function bytes(value: number): string {
  if (value < 1_000) return `${value} B`;
  const [unit = '', size = 1] = BYTE_UNITS.find(([, size]) => value < 1_000 * size) ?? BYTE_UNITS.at(-1) ?? [];
  return `${(value / size).toFixed(1)} ${unit}`;
}

const BYTE_UNITS = [
  ['kB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
] as const;

/** A count with its noun: "1 clip", "3 clips". */
export const counted = (value: number, noun: string): string => `${value} ${noun}${value === 1 ? '' : 's'}`;
