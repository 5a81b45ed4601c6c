import assert from 'node:assert/strict';
import { test } from 'node:test';
import { distinct, labelsInFile, parseLabels } from './labels.ts';

test('labels are read as exporters write them', () => {
  assert.deepEqual(parseLabels('cat\ndog\r\nbird\n'), ['cat', 'dog', 'bird']);
  assert.deepEqual(parseLabels('["cat", "dog"]'), ['cat', 'dog']);
  assert.deepEqual(parseLabels('{"1": "dog", "0": "cat"}'), ['cat', 'dog']);
  assert.deepEqual(parseLabels('{"cat": 0, "dog": 1}'), ['cat', 'dog']);
  assert.deepEqual(parseLabels(`{0: 'cat', 1: "dog's"}`), ['cat', "dog's"]);
  assert.deepEqual(parseLabels('index,mid,display_name\n0,/m/1,Speech\n1,/m/2,"Male speech, man"'), [
    'Speech',
    'Male speech, man',
  ]);
});

test('labels in the file are taken where their number fits', () => {
  const metadata = new Map([['names', "{0: 'cat', 1: 'dog'}"]]);
  assert.deepEqual(labelsInFile(metadata, 'y', 2), { labels: ['cat', 'dog'], where: "metadata 'names'" });
  assert.equal(labelsInFile(metadata, 'y', 3), undefined);
  const named = labelsInFile(new Map(), '{"1": "a", "2": "b"}', 3);
  assert.deepEqual(named?.labels, ['label-0', 'a', 'b']);
});

test('a repeated label is told apart', () => assert.deepEqual(distinct(['a', 'b', 'a']), ['a', 'b', 'a (2)']));
