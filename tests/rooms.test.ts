// The shape of the sources: a room imports from the rooms before it in these lists, never from one after
// it, and the kernels' functions and files stay small. What biome.json asks of src is not asked again.

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { test } from "node:test";

const rooms: Record<string, readonly string[]> = {
  src: [
    "arrays",
    "errors",
    "memory",
    "tensor",
    "extension",
    "instance",
    "run",
    "threads",
    "check",
    "attend",
    "linear",
    "layer",
    "answers",
    "selftest",
    "training",
    "positions",
    "cache",
    "weights",
    "blocks",
    "quantized",
    "compress",
    "integers",
    "variants",
    "shards",
    "view",
    "create",
    "index",
    "platform",
    "tfjs",
  ],
  assembly: [
    "kinds",
    "tiles",
    "strided",
    "random",
    "transcendental",
    "module",
    "simd",
    "softmax",
    "gemm",
    "attend",
    "linear",
    "merge",
    "rotary",
    "backward",
    "cache",
    "blocks",
    "quantized",
    "integers",
    "variants",
    "core",
    "training",
    "positions",
  ],
};

const sources = (root: string) =>
  readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))
    .map((name) => ({ name, text: readFileSync(join(root, name), "utf8") }));

/** Types may be named from anywhere. */
const importing = /^(?:import|export) (?!type\b)[^;]*?from "(\.[^"]+)";/gm;
const roomOf = (name: string) => name.replace(/\.ts$/, "").split(/[\\/]/)[0] as string;

for (const [root, order] of Object.entries(rooms)) {
  test(`${root}: no room imports from one after it`, () => {
    let imports = 0;
    for (const { name, text } of sources(root)) {
      const room = roomOf(name);
      assert.ok(order.includes(room), `${name}: a room that is in no list`);
      for (const [, path] of text.matchAll(importing)) {
        const target = relative(root, join(root, name, "..", path as string));
        if (target.startsWith("..")) continue;
        imports++;
        const before = order.indexOf(roomOf(target)) <= order.indexOf(room);
        assert.ok(before, `${root}/${name} imports ${target}`);
      }
    }
    assert.ok(imports > 50, `${imports} imports`);
  });
}

test("assembly: no function has more than six parameters, no file more than 300 lines", () => {
  let functions = 0;
  for (const { name, text } of sources("assembly")) {
    assert.ok(text.split("\n").length <= 301, name);
    for (const [, called, parameters] of text.matchAll(/function (\w+)(?:<[^>]*>)?\(([^)]*)\)/g)) {
      functions++;
      const count = (parameters as string).split(":").length - 1;
      assert.ok(count <= 6, `${name}: ${called} has ${count} parameters`);
    }
  }
  assert.ok(functions > 100, `${functions} functions`);
});

test("src: what entries share has no name twice", () => {
  // `export *` of two such files in one (scripts/bundle.mjs) would leave both out, and say nothing.
  const apart = new Set(["index", "platform", "create", "tfjs"]);
  const entries = [
    ...readFileSync("scripts/bundle.mjs", "utf8").matchAll(/"src\/(\w+)\/index\.ts"/g),
  ];
  for (const [, room] of entries) apart.add(room as string);
  const homes = new Map<string, string>();
  for (const { name, text } of sources("src")) {
    if (apart.has(roomOf(name))) continue;
    const value = /^export (?:abstract |async )?(?:function\*?|const|let|class|enum) (\w+)/gm;
    for (const [, exported] of text.matchAll(value)) {
      assert.equal(homes.get(exported as string), undefined, `${exported} of src/${name}`);
      homes.set(exported as string, name);
    }
  }
  assert.ok(homes.size > 100, `${homes.size} names`);
});

test("comments name files that are there", () => {
  const files = ["src", "assembly", "scripts"].flatMap((root) =>
    readdirSync(root, { recursive: true, encoding: "utf8" }).map((name) =>
      join(root, name).replaceAll("\\", "/"),
    ),
  );
  /** In ggml, and in dist. */
  const elsewhere = ["docs/gguf.md", "index.d.ts"];
  let named = 0;
  for (const file of files.filter((name) => /\.(ts|mjs)$/.test(name))) {
    const comments = readFileSync(file, "utf8").match(/^\s*(?:\/\/|\/?\*).*$/gm) ?? [];
    for (const comment of comments) {
      const text = comment.replace(/https?:\S+/g, "");
      for (const [path] of text.matchAll(/(?:[\w-]+\/)*[\w-][\w.-]*\.(?:ts|mjs|md)\b/g)) {
        named++;
        const there = existsSync(path) || files.some((other) => `/${other}`.endsWith(`/${path}`));
        assert.ok(there || elsewhere.includes(path), `${file} names ${path}`);
      }
    }
  }
  assert.ok(named > 100, `${named} names`);
});
