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
