// The code of docs/tfjs.md runs, and prints what its comments say.

import { test } from "node:test";
import { checkCode } from "../page";

test("docs/tfjs.md", () => checkCode("tfjs.md", new URL("build/", import.meta.url)));
