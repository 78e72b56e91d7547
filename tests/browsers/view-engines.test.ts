// <attention-view> of the packed package in Firefox and WebKitGTK, by a page that reports.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { chromium, firefox, webkit } from "./launch";
import type { Seen } from "./pages/look";
import { heads } from "./pages/maps";
import { type Reports, reports } from "./reports";

let server: Reports;

before(async () => {
  server = await reports({
    plain: {},
    strict: { "Content-Security-Policy": "default-src 'self'" },
  });
});

after(() => server?.close());

for (const browser of [chromium(), firefox(), webkit()]) {
  for (const setting of ["plain", "strict"]) {
    test(`${browser.name}, ${setting}`, async () => {
      const seen = await server.from<Seen>(browser, `/${setting}/look.html`);
      assert.deepEqual(seen.readings, seen.expected);
      assert.equal(seen.thumbnails, heads(2, 2));
      // Paper, what is masked, and a cell for each of 78 weights.
      assert.equal(seen.svg, 2 + 78);
      assert.deepEqual(seen.png, [0x89, 0x50, 0x4e, 0x47]);
      for (const [picture, count] of Object.entries(seen.colours))
        assert.ok(count > 20, `${picture}: ${count} colours`);
    });
  }
}
