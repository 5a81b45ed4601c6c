import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clipTerms, NOT_TO_PUBLISH } from './clip-terms.ts';

const CASES: readonly (readonly [licences: string, terms: string])[] = [
  ['MIT', 'CC-BY-4.0'],
  ['Apache-2.0 CC-BY-3.0', 'CC-BY-4.0'],
  ['CC-BY-4.0 CC-BY-SA-3.0', 'CC-BY-SA-4.0'],
  ['GPL-2+ CC0-1.0', 'GPL-2.0-or-later'],
  ['GPL-2 GPL-2+', 'GPL-2.0-only'],
  ['GPL-2+ Apache-2.0', 'GPL-3.0-or-later'],
  ['GPL-3 GPL-2+', 'GPL-3.0-only'],
  ['GPL-2 GPL-3', NOT_TO_PUBLISH],
  ['GPL-2 Apache-2.0', NOT_TO_PUBLISH],
  ['GPL-2+ CC-BY-SA-3.0', NOT_TO_PUBLISH],
  ['FAL-1.2 MIT', 'FAL-1.2'],
  ['FAL-1.2 CC-BY-4.0', NOT_TO_PUBLISH],
  ['unheard-of', NOT_TO_PUBLISH],
];

test('a clip has the most permissive licence that all of its sources allow', () => {
  for (const [licences, terms] of CASES) {
    assert.equal(clipTerms(licences.split(' ').map((licence) => ({ licence }))), terms, licences);
  }
});

test('a dual-licensed source takes the side of the others', () => {
  const dual = { licence: 'GPL-2+ OR CC-BY-SA-2.0' };
  assert.equal(clipTerms([dual, { licence: 'CC-BY-4.0' }]), 'CC-BY-SA-4.0');
  assert.equal(clipTerms([dual, { licence: 'GPL-2' }]), 'GPL-2.0-only');
});
