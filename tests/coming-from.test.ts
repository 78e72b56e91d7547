// docs/semantics: every row of every page is tried against the other library's own formula.

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { engine, variants } from "./engines";
import { pageText } from "./page";
import { flashAttention } from "./semantics/flash-attn";
import { flashInfer } from "./semantics/flashinfer";
import type { Tries } from "./semantics/formula";
import { ggml } from "./semantics/ggml";
import { keras } from "./semantics/keras";
import { multihead } from "./semantics/multihead";
import { onnx } from "./semantics/onnx";
import { onnxruntime } from "./semantics/onnxruntime";
import { pytorch } from "./semantics/pytorch";
import { transformers } from "./semantics/transformers";

/** A page's tables, from top to bottom. */
const pages: Record<string, readonly Tries[]> = {
  "flash-attn.md": [flashAttention],
  "flashinfer.md": [flashInfer],
  "ggml.md": [ggml],
  "keras.md": [keras],
  "onnx.md": [onnx],
  "onnxruntime.md": [onnxruntime],
  "pytorch.md": [pytorch, multihead],
  "transformers.md": [transformers],
};

/** The first column of every table, as it reads. */
const rowsOf = (page: string) =>
  [...pageText(`semantics/${page}`).matchAll(/^\| (.*?) \| /gm)]
    .map(([, cell]) => cell.replaceAll("`", ""))
    .filter((cell) => cell !== "there" && cell !== "---");

test("every page is here, and every row of it", () => {
  const files = readdirSync(new URL("../docs/semantics", import.meta.url));
  assert.deepEqual(files.sort(), Object.keys(pages));
  for (const [page, tries] of Object.entries(pages))
    assert.deepEqual(rowsOf(page), tries.flatMap(Object.keys), page);
});

for (const [page, tries] of Object.entries(pages))
  for (const variant of variants)
    test(`${page}, ${variant}`, async (t) => {
      const attention = await engine(variant);
      for (const [row, run] of tries.flatMap(Object.entries))
        await t.test(row, () => run(attention));
      attention.dispose();
    });
