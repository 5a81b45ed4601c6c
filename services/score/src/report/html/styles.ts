/** Lines of different victims; chosen to be told apart with colour-vision deficiencies, in light and in dark. */
const LIGHT_SERIES = ['#2a6fdb', '#d9541e', '#0f8a6d', '#8a4fd0', '#b07a00', '#c2347f'];
const DARK_SERIES = ['#6aa5ff', '#ff8a5c', '#3ec6a3', '#b78cf2', '#e0b03a', '#f27ab8'];

/** Number of victims that have a colour of their own; further ones start again, with another marker. */
export const SERIES_COLOURS = LIGHT_SERIES.length;

const series = (colours: readonly string[]): string =>
  colours.map((colour, index) => `--series-${index}: ${colour};`).join(' ');

export const STYLES = `
:root { color-scheme: light dark; --page: #ffffff; --panel: #f6f7f9; --ink: #16191d; --soft: #59616b; --line: #d9dde3;
  --heat: 42, 111, 219; --warn: #8a5a00; --warn-page: #fff6e0; ${series(LIGHT_SERIES)} }
@media (prefers-color-scheme: dark) { :root { --page: #14171b; --panel: #1c2026; --ink: #e8eaed; --soft: #a3abb5; --line: #343b44;
  --heat: 106, 165, 255; --warn: #f0c36a; --warn-page: #2b2413; ${series(DARK_SERIES)} } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main, header, footer { max-width: 1240px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 32px; } footer { padding-bottom: 48px; color: var(--soft); }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 8px; } h2 { font-size: 20px; margin: 48px 0 8px; } h3 { font-size: 16px; margin: 28px 0 8px; }
p { max-width: 76ch; margin: 8px 0; } .soft { color: var(--soft); } .small { font-size: 13px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: 12px 0; min-width: 50%; }
caption { text-align: left; color: var(--soft); font-size: 13px; padding-bottom: 6px; }
th, td { padding: 6px 10px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; } thead th { color: var(--soft); font-weight: 500; vertical-align: bottom; }
tbody th { font-weight: 600; text-align: left; } td.heat { background: rgba(var(--heat), calc(var(--share) * 0.34)); }
td .beside, th .beside { display: block; font-size: 12px; color: var(--soft); font-weight: 400; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 8px; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 16px; margin: 16px 0; }
figure { margin: 0; background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: 14px 14px 8px; }
figcaption { font-weight: 600; font-size: 14px; } figcaption .soft { font-weight: 400; }
svg { display: block; width: 100%; height: auto; } svg text { fill: var(--soft); font-size: 11px; font-family: inherit; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 8px; margin-top: 6px; }
.grid { stroke: var(--line); stroke-width: 1; } .axis { stroke: var(--soft); stroke-width: 1; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; margin: 12px 0 0; font-size: 13px; }
.legend svg { width: 34px; height: 12px; display: inline-block; vertical-align: -1px; margin-right: 6px; }
.legend span { white-space: nowrap; }
.example { border: 1px solid var(--line); border-radius: 8px; padding: 4px 18px 18px; margin: 16px 0; background: var(--panel); }
.triple { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 14px; } .stack { display: grid; gap: 10px; }
.triple > div, .stack > div { min-width: 0; } .label { font-size: 13px; color: var(--soft); margin: 0 0 4px; }
img { display: block; width: 100%; border-radius: 4px; } img.sound { height: 150px; } img.frames { image-rendering: pixelated; }
audio { width: 100%; height: 34px; margin-top: 6px; }
.flags { list-style: none; padding: 0; } .flags li { background: var(--warn-page); border-left: 3px solid var(--warn); padding: 6px 12px; margin: 6px 0; border-radius: 0 6px 6px 0; }
.fired { color: var(--warn); font-weight: 600; } details { margin: 12px 0; } summary { cursor: pointer; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 20px; margin: 12px 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
@media (max-width: 720px) { .triple { grid-template-columns: 1fr; } main, header, footer { padding: 0 16px; } }
@media print { .charts { grid-template-columns: 1fr 1fr; } figure, .example { break-inside: avoid; } }
`;
