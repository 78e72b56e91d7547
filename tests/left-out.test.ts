// What `npm test` leaves out, and the command that runs it.

import { test } from "node:test";

test("in a browser", { skip: "needs Chromium: npm run test:browsers" }, () => {});
test("against the operators' published cases", {
  skip: "needs a folder of them: npm run conformance -- DIR",
}, () => {});
test("against other libraries", { skip: "installs them: npm run bench" }, () => {});
