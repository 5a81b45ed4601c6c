import { FolderStore } from '../folder-store.ts';

// A process that puts the artefacts 0 .. count - 1 in a folder: each is its number, a thousand times. Several run at once in a test.

const [root, count] = process.argv.slice(2);
if (root === undefined) throw new Error('usage: put-many FOLDER COUNT');
const store = await FolderStore.open(root);
for (let number = 0; number < Number(count); number += 1) {
  async function* pieces() {
    for (let piece = 0; piece < 4; piece += 1) yield Buffer.from(`${number} `.repeat(250));
  }
  console.log((await store.put(number % 2 === 0 ? pieces() : Buffer.from(`${number} `.repeat(1000)))).sha256);
}
