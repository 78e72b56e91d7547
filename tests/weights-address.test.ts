// Weight files by address, in ranges, and those that are in several files.

import assert from "node:assert/strict";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { readGguf, readSafetensors } from "wasm-attention/weights";
import { a, file, floats, gguf, isWhole, safetensors, type Written, written } from "./weight-files";

const good = { name: "a", dims: [6], type: 0, bytes: floats([...a]) };

// A server that has ranges, one that has not, and one that hides how long a file is.
const files: Record<string, Uint8Array> = {};
let asked: string[] = [];
const server = createServer(({ url = "", headers }, response) => {
  asked.push(`${url} ${headers.range}`);
  const [, kind = "", name = ""] = url.split("/");
  const bytes = files[name];
  if (!bytes) return void response.writeHead(404).end();
  const range = /bytes=(\d+)-(\d+)/.exec(headers.range ?? "");
  if (kind === "plain" || !range) return void response.end(bytes);
  const [from, to] = [Number(range[1]), Math.min(Number(range[2]) + 1, bytes.length)];
  const first = kind === "others" ? from + 1 : from;
  const length = {
    "content-range": `bytes ${first}-${to - 1}/${kind === "hidden" ? "*" : bytes.length}`,
  };
  response.writeHead(206, length).end(bytes.subarray(first, to));
});
let address = "";
before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
after(() => server.close());

test("by address: ranges where there are some, else the whole once", async () => {
  files["x.safetensors"] = file;
  for (const kind of ["ranges", "hidden", "plain"]) {
    asked = [];
    await isWhole(await readSafetensors(`${address}/${kind}/x.safetensors`));
    assert.equal(asked.length, kind === "plain" ? 1 : 5, kind);
  }
  await isWhole(await readSafetensors(new URL(`${address}/ranges/x.safetensors`)));
  await assert.rejects(readSafetensors(`${address}/ranges/y`), /"source" expected http.* got 404/);
  const others = readSafetensors(`${address}/others/x.safetensors`);
  await assert.rejects(others, /to be there, got bytes from 1 on, not from 0/);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(readSafetensors(`${address}/ranges/x.safetensors`, { signal }), /enough/);
});

test("an address that nobody answers at is named", async () => {
  const gone = createServer();
  await new Promise<void>((resolve) => gone.listen(0, "127.0.0.1", resolve));
  const { port } = gone.address() as AddressInfo;
  await new Promise((resolve) => gone.close(resolve));
  for (const silent of [`http://127.0.0.1:${port}/x`, "file:///nowhere/x.safetensors"]) {
    const message = `readSafetensors: "source" expected ${silent} to be there, got TypeError: fetch failed`;
    await assert.rejects(readSafetensors(silent), { name: "ArgumentError", message });
  }
});

test("a GGUF header longer than what is read at first, by address", async () => {
  const tokens = Array.from({ length: 20_000 }, (_, i) => `token ${i}`);
  files["x.gguf"] = gguf({ tokens }, [good]);
  for (const kind of ["ranges", "hidden", "plain"]) {
    const opened = await readGguf(`${address}/${kind}/x.gguf`);
    assert.equal((opened.metadata.get("tokens") as string[])[19_999], "token 19999");
    assert.deepEqual((await opened.tensor("a")).data, a);
  }
});

test("a model in several files, by its index", async () => {
  const { "block.a": first, ...others } = written as Record<string, Written>;
  const parts: Record<string, Uint8Array> = {
    "model-1.safetensors": safetensors({ "block.a": first as Written }),
    "model-2.safetensors": safetensors(others),
  };
  const map = Object.fromEntries(
    Object.keys(written).map((name) => [name, `model-${name === "block.a" ? 1 : 2}.safetensors`]),
  );
  const index = (weights: object) =>
    new TextEncoder().encode(JSON.stringify({ metadata: { total_size: 44 }, weight_map: weights }));
  const shard = (name: string) => parts[name] as Uint8Array;
  const opened = await readSafetensors(index(map), { shard });
  await isWhole(opened);
  assert.equal(opened.metadata.get("total_size"), 44);
  Object.assign(files, parts, { "index.json": index(map) });
  await isWhole(await readSafetensors(`${address}/ranges/index.json`));
  const refused: [object, RegExp][] = [
    [{ ...map, "block.z": "model-1.safetensors" }, /files, got without "block.z"/],
    [
      { "block.a": "model-1.safetensors", none: "model-2.safetensors" },
      /got with "block\.b", "scalar" too/,
    ],
    [{ "block.a": "../model-1.safetensors" }, /names of files beside it/],
    [{ "block.a": "http://elsewhere/x" }, /names of files beside it/],
    [{ "block.a": 3 }, /names of files beside it, got 3/],
  ];
  for (const [weights, message] of refused)
    await assert.rejects(readSafetensors(index(weights), { shard }), message);
  await assert.rejects(
    readSafetensors(index(map)),
    /"shard" expected a function that gives model-/,
  );
});
