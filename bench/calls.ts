// npm run bench -- --calls: our own calls by Benchmark.js, how often a second, and how sure.

import { readFileSync } from "node:fs";
import Benchmark from "benchmark";
import { type Attention, createAttention, linear, prepareLinear, tensor } from "wasm-attention";
import {
  activate,
  blocks,
  layerNorm,
  softmax,
  TransformerEncoderLayer,
} from "wasm-attention/blocks";
import { cache, createCache } from "wasm-attention/cache";

function benchCalls(attention: Attention<"blocks" | "cache">): void {
  const suite = new Benchmark.Suite();
  const options = { minSamples: 5, maxTime: 0.5 };
  for (const [heads, n, d] of [
    [8, 16, 8],
    [12, 128, 64],
    [12, 512, 64],
  ]) {
    const dims = [1, heads, n, d];
    const data = Float32Array.from({ length: heads * n * d }, (_, i) => Math.sin(i));
    const plain = tensor(data, dims);
    const allocated = attention.allocate(dims);
    allocated.data.set(data);
    const out = attention.allocate(dims);
    const name = `attend ${heads} × ${n} × ${d}`;
    suite.add(`${name}, Float32Arrays`, () => attention.attend(plain, plain, plain), options);
    suite.add(
      `${name}, allocated`,
      () => attention.attend(allocated, allocated, allocated, { out }),
      options,
    );
  }
  for (const rows of [1, 16, 512]) {
    const x = attention.allocate([rows, 768]);
    x.data.fill(0.5);
    const weight = prepareLinear(
      attention,
      tensor(new Float32Array(768 * 768).fill(0.01), [768, 768]),
      {
        order: "in,out",
      },
    );
    const out = attention.allocate([rows, 768]);
    suite.add(
      `linear ${rows} × 768 × 768, allocated`,
      () => linear(attention, x, weight, { out }),
      options,
    );
  }
  const token = tensor(new Float32Array(12 * 64).fill(0.5), [1, 12, 1, 64]);
  for (const tokens of [1, 10_000]) {
    const text = createCache(attention, { keyValueHeads: 12, headSize: 64 });
    for (let count = 1; count < tokens; count++) text.append(token, token);
    const name = `a token appended after ${tokens - 1}, 12 heads of 64`;
    const again = () => {
      text.append(token, token);
      text.truncate(0, tokens - 1);
    };
    suite.add(`${name}, and cut off`, again, options);
  }
  for (const [name, call] of Object.entries(blockCalls(attention))) suite.add(name, call, options);
  suite.on("cycle", ({ target }: Benchmark.Event) => {
    const { error } = target as Benchmark.Target & { error?: Error };
    if (error) throw error;
    console.log(`  ${target}`);
  });
  suite.run();
}

/** What stands around attention, on 128 rows of 384. */
function blockCalls(attention: Attention<"blocks">): Record<string, () => unknown> {
  const [rows, size, hidden] = [128, 384, 1536];
  const filled = (dims: number[]) => {
    const x = attention.allocate(dims);
    x.data.forEach((_, i) => {
      x.data[i] = Math.sin(i);
    });
    return x;
  };
  const matrix = (ins: number, outs: number) => ({
    weight: tensor(
      Float32Array.from({ length: ins * outs }, (_, i) => Math.sin(i) / 16),
      [ins, outs],
    ),
    order: "in,out" as const,
  });
  const own = matrix(size, size);
  const ones = { weight: new Float32Array(size).fill(1), bias: new Float32Array(size) };
  const layer = new TransformerEncoderLayer(
    attention,
    { heads: 6, activation: "gelu" },
    {
      selfAttention: { query: own, key: own, value: own, output: own },
      linear1: matrix(size, hidden),
      linear2: matrix(hidden, size),
      norm1: ones,
      norm2: ones,
    },
  );
  const x = filled([1, rows, size]);
  const wide = filled([1, rows, hidden]);
  const [out, wideOut] = [attention.allocate(x.dims), attention.allocate(wide.dims)];
  return {
    [`layerNorm ${rows} × ${size}`]: () => layerNorm(attention, x, { ...ones, out }),
    [`gelu ${rows} × ${hidden}`]: () => activate(attention, wide, "gelu", { out: wideOut }),
    [`softmax ${rows} × ${hidden}`]: () => softmax(attention, wide, { out: wideOut }),
    [`encoder layer ${rows} × ${size}, 6 heads`]: () => layer.forward(x, { out }),
  };
}

const relaxed = readFileSync(new URL("../dist/workerd/core.relaxed.wasm", import.meta.url));
for (const reproducible of WebAssembly.validate(relaxed) ? [true, false] : [true]) {
  const attention = await createAttention({ reproducible, extensions: [cache, blocks] });
  console.log(attention.variant);
  benchCalls(attention);
}
