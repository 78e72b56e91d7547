// What `npm test` leaves out, and the command that runs it.

import { test } from "node:test";

test("in a browser", { skip: "needs Chromium: npm run test:browsers" }, () => {});
test("against other libraries", { skip: "installs them: npm run bench" }, () => {});
