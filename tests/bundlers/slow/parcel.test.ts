// Parcel, as its user starts it.

import { join } from "node:path";
import { test } from "node:test";
import { assertComputes, launch, served } from "../page";
import { bundle, project } from "../project";

for (const page of ["page", "worker-page"] as const) {
  test(`Parcel, ${page}`, async () => {
    const folder = project("parcel", page);
    bundle(folder, "parcel", "build", "index.html");
    const browser = await launch();
    try {
      await served(join(folder, "dist"), (address) => assertComputes(browser, address));
    } finally {
      await browser.close();
    }
  });
}
