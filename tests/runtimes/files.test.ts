// A shard in a file on Node, Deno and Bun: more spans than one, read where they lie, the bits of one attend.

import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { engine as made, randomTensor } from "../engines";
import { safetensors } from "../weight-files";
import { output, programs } from "./engines";
import { type Project, scratchProject } from "./project";

type Tensor = ReturnType<typeof randomTensor>;

const KEYS = 2 * 4096 + 77;
const [key, value] = [1, 2].map((seed) => randomTensor([1, 2, KEYS, 16], seed)) as [Tensor, Tensor];

let project: Project;
let want: number[];

before(async () => {
  project = await scratchProject();
  const written = ({ data, dims }: Tensor) => ({
    dtype: "F32",
    shape: dims,
    bytes: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  });
  const bytes = safetensors({ key: written(key), value: written(value) });
  writeFileSync(join(project.folder, "keys.safetensors"), bytes);
  using attention = await made("portable");
  const numbers = Float32Array.from({ length: 4 * 2 * 16 }, (_, i) => ((i * 7) % 31) / 16 - 1);
  const options = { causal: "lower-right", logSumExp: true } as const;
  const local = attention.attend({ data: numbers, dims: [1, 4, 2, 16] }, key, value, options);
  want = [local.output, local.logSumExp].flatMap(({ data }) =>
    Array.from(new Uint32Array(data.buffer)),
  );
});
after(() => project?.remove());

for (const { engine, context, command, args } of programs) {
  test(`${engine}, ${context}`, () => {
    const reading = engine === "Deno" ? ["--allow-read=."] : [];
    const words = [...args, ...reading, "file.mjs", "keys.safetensors"];
    const lines = output(command, words, project.folder);
    assert.deepEqual(JSON.parse(lines.at(-1) as string), want);
  });
}
