import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { fromBinary } from '@bufbuild/protobuf';
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { apiPage } from './api-page.ts';

const BUF = fileURLToPath(new URL('../../../node_modules/.bin/buf', import.meta.url));
const PROTO = `syntax = "proto3";
// About shops.
package shop.v1;
${'import'} "google/protobuf/timestamp.proto";
// Sells things.
service ShopService {
  // Sells while the customer
  // asks.
  rpc Sell(stream SellRequest) returns (SellResponse);
}
// An order.
message SellRequest {
  // How many, 1 | 2.
  repeated uint32 counts = 1;
  // What.
  oneof thing {
    // Of this colour.
    Colour colour = 3;
    // A crate.
    Crate crate = 4;
  }
  // Holds things.
  message Crate {
    // Prices by name.
    map<string, double> prices = 1;
  }
}
// A receipt.
message SellResponse {
  // When.
  google.protobuf.Timestamp at = 1;
}
// Colours.
enum Colour {
  // None.
  COLOUR_UNSPECIFIED = 0;
}
`;

test('the page shows services, messages and enums with their comments, and links types', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'api-page-'));
  await writeFile(join(folder, 'shop.proto'), PROTO);
  const built = execFileSync(BUF, ['build', '-o', '-', '--as-file-descriptor-set'], { cwd: folder });
  await rm(folder, { recursive: true });
  const page = apiPage(fromBinary(FileDescriptorSetSchema, built), ['shop.v1']);
  for (const expected of [
    'About shops.',
    '  - [ShopService.Sell](#shop-v1-shopservice-sell)',
    'stream of [SellRequest](#shop-v1-sellrequest) → [SellResponse](#shop-v1-sellresponse)',
    'Sells while the customer\nasks.',
    '| `counts` | repeated uint32 | 1 | How many, 1 \\| 2. |',
    '| `colour` | [Colour](#shop-v1-colour) | 3 | _one of `thing`_ · Of this colour. |',
    '<a id="shop-v1-sellrequest-crate"></a>\n\n#### SellRequest.Crate\n\nHolds things.',
    '| `prices` | map of string to double | 1 | Prices by name. |',
    '| `at` | google.protobuf.Timestamp | 1 | When. |',
    '| `COLOUR_UNSPECIFIED` | 0 | None. |',
  ]) {
    assert.ok(page.includes(expected), `${expected}\nis missing in\n${page}`);
  }
});
