import type { ClipSet } from './clip-set.ts';
import type { Attribution } from './licensing.ts';

const HEAD = `# Attribution

Each clip is an adaptation: sounds were cut, shifted in pitch and level, repeated and mixed; pictures were scaled, turned,
recoloured and laid over photographs. Clips are under the licence in the first table. A clip with a share-alike source is CC
BY-SA 4.0 (versions 2.0 and 3.0 allow a later version for adaptations); the others are CC BY 4.0.

Licence texts: [CC BY-SA 4.0](https://creativecommons.org/licenses/by-sa/4.0/legalcode),
[CC BY 4.0](https://creativecommons.org/licenses/by/4.0/legalcode),
[CC BY-SA 3.0](https://creativecommons.org/licenses/by-sa/3.0/legalcode),
[CC BY-SA 2.0](https://creativecommons.org/licenses/by-sa/2.0/legalcode),
[CC BY 3.0](https://creativecommons.org/licenses/by/3.0/legalcode),
[CC0 1.0](https://creativecommons.org/publicdomain/zero/1.0/legalcode),
[Apache 2.0](https://www.apache.org/licenses/LICENSE-2.0), [MIT](https://opensource.org/license/mit).
Sources offered as "GPL-2+ or CC BY-SA 2.0" (LinCity-NG) are used under CC BY-SA 2.0.
`;

/** Copyright notices that MIT sources ask to be kept. */
const MIT_NOTICE = `
## MIT notices

Fluid R3 sound font: Copyright (c) 2000-2002, 2008 Frank Wen. Fluent Emoji: Copyright (c) Microsoft Corporation.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the "Software"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the
Software is furnished to do so, subject to the following conditions: The above copyright notice and this permission notice
shall be included in all copies or substantial portions of the Software. THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY
OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR
PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE SOFTWARE OR
THE USE OR OTHER DEALINGS IN THE SOFTWARE.
`;

/** The page that credits every source of every clip. */
export function attributionPage({ clips }: ClipSet): string {
  const sources = new Map<string, Attribution>();
  for (const credit of clips.flatMap(({ attribution }) => attribution)) sources.set(credit.source, credit);
  return [
    HEAD,
    '## Clips\n',
    table(
      ['clip', 'labels', 'licence', 'sources'],
      clips.map(({ id, labels, licence, attribution }) => [
        id,
        labels.join(', '),
        licence,
        attribution.map(({ source }) => source).join(', '),
      ]),
    ),
    '\n## Sources\n',
    table(
      ['source', 'title', 'author', 'package', 'licence'],
      [...sources.values()]
        .sort((a, b) => (a.source < b.source ? -1 : 1))
        .map(({ source, title, author, package: from, licence }) => [source, title, author, from, licence]),
    ),
    MIT_NOTICE,
  ].join('\n');
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
