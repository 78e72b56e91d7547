// Platforms that lack something, each simulated by taking it away: an error that says what to do, or
// one thread and why. What they refuse for real is in tests/runtimes and tests/browsers.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import {
  type AttentionOptions,
  createAttention,
  MemoryError,
  tensor,
  UnsupportedError,
} from "wasm-attention";

const dist = new URL("../dist/", import.meta.url);
const x = tensor(Float32Array.of(1, 2, 3, 4), [1, 1, 2, 2]);
const expected = (await createAttention({ reproducible: true })).attend(x, x, x);

/** Runs with `names` of `holder` replaced, or taken away by undefined. */
async function without<Holder extends object>(
  holder: Holder,
  replaced: { [Name in keyof Holder]?: unknown },
  run: () => Promise<void>,
): Promise<void> {
  const names = Object.keys(replaced) as (keyof Holder)[];
  const before = names.map((name) => Object.getOwnPropertyDescriptor(holder, name));
  try {
    for (const name of names) {
      Object.defineProperty(holder, name, { value: replaced[name], configurable: true });
    }
    await run();
  } finally {
    for (const [index, name] of names.entries()) {
      Object.defineProperty(holder, name, before[index] as PropertyDescriptor);
    }
  }
}

const refuses = (
  options: AttentionOptions,
  kind: typeof UnsupportedError | typeof MemoryError,
  message: RegExp,
) =>
  assert.rejects(createAttention(options), (error: Error) => {
    assert.ok(error instanceof kind, String(error));
    assert.match(error.message, message);
    return true;
  });

async function works(options: AttentionOptions = {}) {
  using attention = await createAttention({ reproducible: true, ...options });
  assert.deepEqual(attention.attend(x, x, x), expected);
  const { threads, threadsFallback } = attention;
  return { threads, threadsFallback, ...attention.memory };
}

test("no WebAssembly", async () => {
  await without(globalThis, { WebAssembly: undefined }, async () => {
    const message = /^createAttention: "WebAssembly" expected an engine that has it .*, got none$/;
    await refuses({}, UnsupportedError, message);
    await refuses({ threads: 2 }, UnsupportedError, message);
    await refuses({ module: {} as WebAssembly.Module }, UnsupportedError, message);
  });
  await works();
});

test("no SIMD", async () => {
  await without(WebAssembly, { validate: () => false }, () =>
    refuses(
      {},
      UnsupportedError,
      /WebAssembly SIMD \(Node 16, .* newer\), got one that refuses SIMD/,
    ),
  );
  await works();
});

test("no relaxed SIMD: the portable build", async () => {
  const { validate } = WebAssembly;
  const relaxed = readFileSync(new URL("workerd/core.relaxed.wasm", dist));
  const plain = (bytes: Uint8Array<ArrayBuffer>) => !relaxed.equals(bytes) && validate(bytes);
  await without(WebAssembly, { validate: plain }, async () => {
    const attention = await createAttention();
    assert.equal(attention.variant, "portable");
    assert.deepEqual(attention.attend(x, x, x), expected);
  });
});

for (const entry of ["node", "browser"]) {
  test(`bytes may not be compiled, ${entry}`, async () => {
    const module = new WebAssembly.Module(
      readFileSync(new URL("workerd/core.portable.wasm", dist)),
    );
    const wasm = (await import(
      new URL(`${entry}/index.js`, dist).href
    )) as typeof import("wasm-attention");
    const compile = () => {
      throw new WebAssembly.CompileError("code generation disallowed by embedder");
    };
    // A constructor that refuses bytes; what is a Module stays one.
    const Module = class extends WebAssembly.Module {
      static override [Symbol.hasInstance] = (value: unknown) => value === module;
      constructor() {
        super(compile());
      }
    };
    await without(WebAssembly, { compile, Module }, async () => {
      await assert.rejects(wasm.createAttention(), (error: Error) => {
        assert.ok(error instanceof wasm.UnsupportedError, String(error));
        assert.match(
          error.message,
          /"module" expected a WebAssembly\.Module of this package's portable\.wasm or relaxed\.wasm, since .*'wasm-unsafe-eval'.*, got none: CompileError: code generation/,
        );
        return true;
      });
      const attention = await wasm.createAttention({ module });
      assert.deepEqual(attention.attend(x, x, x), expected);
    });
  });
}

test("damaged bytes in the package", async () => {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL("node/index.js", dist))],
    bundle: true,
    write: false,
    format: "esm",
    external: ["node:*"],
  });
  // Letters of "\0asm", see scripts/variants.mjs.
  const damaged = outputFiles[0].text.replaceAll("!z.zAz:", "!z.zAz;");
  const url = `data:text/javascript,${encodeURIComponent(damaged)}`;
  const wasm = (await import(url)) as typeof import("wasm-attention");
  await assert.rejects(wasm.createAttention(), (error: Error) => {
    assert.ok(error instanceof wasm.UnsupportedError, String(error));
    assert.match(error.message, /"module" expected the bytes that .* got damaged ones: install it/);
    return true;
  });
});

test("a module of something else", async () => {
  const header = [0, 97, 115, 109, 1, 0, 0, 0];
  const empty = new WebAssembly.Module(Uint8Array.of(...header));
  await refuses({ module: empty }, UnsupportedError, /got a module of another package or version$/);
  // (import "other" "f" (func))
  const importing = new WebAssembly.Module(
    Uint8Array.of(
      ...header,
      ...[1, 4, 1, 0x60, 0, 0],
      ...[2, 11, 1, 5, ...Buffer.from("other"), 1, ...Buffer.from("f"), 0, 0],
    ),
  );
  await refuses(
    { module: importing },
    UnsupportedError,
    /"module" expected a wasm-attention build that this engine can instantiate, got .*other/,
  );
});

/** Memory as some platforms give it: to so many pages, or only unshared. */
const scarce = (most: number, sharing = true) =>
  class extends WebAssembly.Memory {
    constructor(descriptor: WebAssembly.MemoryDescriptor) {
      if ((descriptor.maximum ?? 0) > most) throw new RangeError("could not reserve memory");
      if (descriptor.shared && !sharing) throw new TypeError("shared memory is off");
      super(descriptor);
    }
  };

test("less memory than asked for", async () => {
  const whole = await works();
  assert.equal(whole.maximum, 65535 * 65536);
  await without(WebAssembly, { Memory: scarce(20_000) }, async () => {
    // Nothing was asked for: what there is, by halves.
    assert.equal((await works()).maximum, 16383 * 65536);
    assert.equal((await works({ maximumMemory: 2 ** 28 })).maximum, 2 ** 28);
    assert.equal((await works({ threads: 2 })).threads, 2);
    const message = /"maximumMemory" expected bytes that .*: fewer, .* got 2147483648: RangeError/;
    await refuses({ maximumMemory: 2 ** 31 }, MemoryError, message);
    await refuses(
      { initialMemory: 2 ** 31 },
      MemoryError,
      /"initialMemory" expected bytes that .*: fewer, .* got 2147483648: RangeError/,
    );
  });
  await without(WebAssembly, { Memory: scarce(0) }, () =>
    refuses(
      {},
      MemoryError,
      /"initialMemory" expected bytes that .*: fewer, .* got 65536: RangeError/,
    ),
  );
});

test("shared memory refused: one thread, and why", async () => {
  await without(WebAssembly, { Memory: scarce(65536, false) }, async () => {
    const { threads, threadsFallback } = await works({ threads: 2 });
    assert.equal(threads, 1);
    assert.match(threadsFallback ?? "", /shared memory is off/);
  });
  await without(globalThis, { SharedArrayBuffer: undefined }, async () => {
    const { threads, threadsFallback } = await works({ threads: 2 });
    assert.equal(threads, 1);
    assert.match(threadsFallback ?? "", /no SharedArrayBuffer/);
  });
});

test("more at the start than the most: the most", async () => {
  const { reserved, maximum } = await works({ initialMemory: 65537, maximumMemory: 65537 });
  assert.deepEqual({ reserved, maximum }, { reserved: 65536, maximum: 65536 });
});
