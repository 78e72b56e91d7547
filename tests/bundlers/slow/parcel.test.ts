// Parcel, as its user starts it.

import { join } from "node:path";
import { test } from "node:test";
import { assertComputes, launch, served } from "../page";
import { bundle, project } from "../project";

test("Parcel", async () => {
  const folder = project("parcel");
  bundle(folder, "parcel", "build", "index.html");
  const browser = await launch();
  try {
    await served(join(folder, "dist"), (address) => assertComputes(browser, address));
  } finally {
    await browser.close();
  }
});
