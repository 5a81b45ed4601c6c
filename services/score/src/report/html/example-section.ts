import { encodeWav } from '@faultline/media/encode-wav';
import type { Example, ExampleInput, ExampleLabel } from '../example.ts';
import { amplifiedDifference, framesPng, spectrogramPng } from '../pictures.ts';
import { short } from './figures.ts';
import { dataUrl, type Markup, markup } from './markup.ts';

/** False labels worth a line beside the true ones. */
const SHOWN_FALSE_LABELS = 2;
/** A difference of sound is amplified up to this amplitude: audible, and not too loud. */
const AUDIBLE_LIMIT = 0.25;
/** A difference of pixels is drawn around mid-grey. */
const MID_GREY = 0.5;

function soundColumn(title: string, waveform: Float32Array, sampleRateHz: number): Markup {
  const sound = dataUrl('audio/wav', encodeWav(waveform, sampleRateHz));
  return markup`<div><p class="label">${title}</p>
  <img class="sound" alt="Spectrogram, ${title}" src="${dataUrl('image/png', spectrogramPng(waveform))}">
  <audio controls preload="none" aria-label="Sound, ${title}" src="${sound}"></audio></div>`;
}

function soundFigures(input: ExampleInput, sampleRateHz: number): Markup {
  const { clean, attacked } = input;
  const difference = amplifiedDifference(clean, attacked, AUDIBLE_LIMIT);
  return markup`<h3>${input.specification.name} <span class="soft small">spectrograms: 0 to ${short(sampleRateHz / 2000)} kHz upwards, ${short(clean.length / sampleRateHz)} s to the right</span></h3>
<div class="triple">${soundColumn('clean', clean, sampleRateHz)}${soundColumn('attacked', attacked, sampleRateHz)}${soundColumn(`difference × ${difference.factor}`, difference.values, sampleRateHz)}</div>`;
}

function framesRow(title: string, frames: Float32Array, dims: readonly number[]): Markup {
  return markup`<div><p class="label">${title}</p><img class="frames" alt="Frames, ${title}" src="${dataUrl('image/png', framesPng(frames, dims))}"></div>`;
}

function frameFigures(input: ExampleInput): Markup {
  const { clean, attacked, dims } = input;
  const difference = amplifiedDifference(clean, attacked, MID_GREY);
  return markup`<h3>${input.specification.name}</h3>
<div class="stack">${framesRow('clean', clean, dims)}${framesRow('attacked', attacked, dims)}${framesRow(
    `difference × ${difference.factor}, around mid-grey`,
    difference.values.map((value) => MID_GREY + value),
    dims,
  )}</div>`;
}

function inputFigures(input: ExampleInput): Markup {
  const { kind } = input.specification;
  return kind?.$case === 'waveform' ? soundFigures(input, kind.value.sampleRateHz) : frameFigures(input);
}

/** The true labels, and the false ones that the attack brought nearest to their threshold. */
function shownLabels(labels: readonly ExampleLabel[]): ExampleLabel[] {
  const nearest = labels.filter((label) => !label.isTrue).toSorted((a, b) => b.attackedMargin - a.attackedMargin);
  return [...labels.filter((label) => label.isTrue), ...nearest.slice(0, SHOWN_FALSE_LABELS)];
}

function verdict(margin: number): string {
  return `${margin >= 0 ? '+' : '−'}${Math.abs(margin).toFixed(2)} (${margin >= 0 ? 'active' : 'off'})`;
}

/** One clip, clean and attacked: to look at, and to listen to. */
export function exampleSection(example: Example): Markup {
  const budgets = Object.entries(example.epsilons).map(([variable, epsilon]) => `${variable} ε = ${short(epsilon)}`);
  const trueLabels = example.labels.filter((label) => label.isTrue).map((label) => label.label);
  return markup`<section class="example">
<h3>${example.victim}: ${trueLabels.join(' + ')} <span class="soft small">(clip ${example.clipId}, ${example.threatModel}, ${budgets.join(', ')})</span></h3>
<table><caption>Logit above the label's threshold, from fresh predictions</caption><thead><tr><th scope="col">label</th><th scope="col">clean</th><th scope="col">attacked</th></tr></thead>
<tbody>${shownLabels(example.labels).map(
    (label) =>
      markup`<tr><th scope="row">${label.label}${label.isTrue ? ' (true)' : ''}</th><td>${verdict(label.cleanMargin)}</td><td>${verdict(label.attackedMargin)}</td></tr>`,
  )}</tbody></table>
${example.inputs.map(inputFigures)}
</section>`;
}
