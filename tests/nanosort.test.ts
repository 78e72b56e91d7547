// A trained GPT on our layers, against every intermediate tensor its authors publish.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { linear, prepareLinear, type Tensor, tensor } from "wasm-attention";
import { fromPyTorch } from "wasm-attention/weights";
import { add, layerNorm } from "../examples/semantic-search/blocks";
import { engine, variants } from "./engines";
import { modelFile, needsModels } from "./models/folder";

const HEADS = 3;
const LAYERS = 3;
/** Of the largest published element: 3 layers of float32 sums of up to 192 products. */
const TOLERANCE = 2e-6;

interface Stored {
  shape: number[];
  data: string;
}

function read(name: string): (key: string) => Tensor {
  const stored = JSON.parse(readFileSync(modelFile(`nanosort/${name}.json`), "utf8"));
  return (key) => {
    const { shape, data } = stored[key] as Stored;
    const bytes = Buffer.from(data, "base64");
    return tensor(new Float32Array(Uint8Array.from(bytes).buffer), shape);
  };
}

/** The tanh approximation (Hendrycks & Gimpel 2016), as minGPT has it. */
function gelu({ data, dims }: Tensor): Tensor {
  const inner = (x: number) => Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3);
  return tensor(
    data.map((x) => 0.5 * x * (1 + Math.tanh(inner(x)))),
    dims,
  );
}

function close(name: string, got: Tensor, want: Tensor): void {
  assert.equal(got.data.length, want.data.length, name);
  let largest = 0;
  let worst = 0;
  for (let i = 0; i < want.data.length; i++) {
    largest = Math.max(largest, Math.abs(want.data[i]));
    worst = Math.max(worst, Math.abs(got.data[i] - want.data[i]));
  }
  assert.ok(worst <= TOLERANCE * largest, `${name}: off by ${worst} of ${largest}`);
}

for (const variant of variants) {
  test(`every intermediate tensor of nanosort, ${variant}`, needsModels, async () => {
    const attention = await engine(variant);
    const at = read("model");
    const want = read("partials");
    const project = (x: Tensor, name: string) =>
      linear(
        attention,
        x,
        prepareLinear(attention, at(`${name}.weight`), {
          order: "out,in",
          bias: at(`${name}.bias`),
        }),
      );
    const norm = (x: Tensor, name: string) =>
      layerNorm(x, { scale: at(`${name}.weight`).data, bias: at(`${name}.bias`).data }, 1e-5);

    let x = want("x");
    for (let i = 0; i < LAYERS; i++) {
      const layer = `transformer.h.${i}`;
      const first = i === 0;
      const normed = norm(x, `${layer}.ln_1`);
      const qkv = project(normed, `${layer}.attn.c_attn`);
      const heads = [0, 1, 2].map((part) => headsOf(qkv, part));
      const { output, weights, logSumExp } = attention.attend(heads[0], heads[1], heads[2], {
        causal: true,
        weights: true,
        logSumExp: true,
      });
      const whole = fromPyTorch(
        attention,
        {
          in_proj_weight: at(`${layer}.attn.c_attn.weight`),
          in_proj_bias: at(`${layer}.attn.c_attn.bias`),
          "out_proj.weight": at(`${layer}.attn.c_proj.weight`),
          "out_proj.bias": at(`${layer}.attn.c_proj.bias`),
        },
        { heads: HEADS },
      ).forward({ query: normed, key: normed, value: normed }, { causal: true, weights: true });
      const residual = add(x, whole.output);
      const second = norm(residual, `${layer}.ln_2`);
      const expanded = project(second, `${layer}.mlp.c_fc`);
      const activated = gelu(expanded);
      const contracted = project(activated, `${layer}.mlp.c_proj`);
      if (first) {
        close("ln1", normed, want("ln1"));
        close("qkv", qkv, want("qkv"));
        for (const [part, name] of ["q", "k", "v"].entries()) close(name, heads[part], want(name));
        close("attSm", weights as Tensor, want("attSm"));
        close("attSm of the layer", whole.weights as Tensor, want("attSm"));
        close("logSumExp", logSumExp as Tensor, rowLogSumExp(want("att")));
        close("y", interleave(output), want("y"));
        close("yProj", whole.output, want("yProj"));
        close("attnResid", residual, want("attnResid"));
        close("ln2", second, want("ln2"));
        close("fc", expanded, want("fc"));
        close("gelu", activated, want("gelu"));
        close("mlp", contracted, want("mlp"));
      }
      x = add(residual, contracted);
      if (first) close("mlpResid", x, want("mlpResid"));
      close(`block${i}`, x, want(`block${i}`));
    }
    const last = norm(x, "transformer.ln_f");
    close("ln_f", last, want("ln_f"));
    const head = prepareLinear(attention, at("lm_head.weight"), { order: "out,in" });
    close("lm_head", linear(attention, last, head), want("lm_head"));
  });
}

/** Third `part` of [B, L, 3·H·D] as [B, H, L, D]. */
function headsOf({ data, dims: [batch, rows, width] }: Tensor, part: number): Tensor {
  const size = width / 3 / HEADS;
  const result = new Float32Array((batch * rows * width) / 3);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < HEADS; h++)
      for (let i = 0; i < rows; i++) {
        const from = (b * rows + i) * width + (part * HEADS + h) * size;
        result.set(data.subarray(from, from + size), ((b * HEADS + h) * rows + i) * size);
      }
  return tensor(result, [batch, HEADS, rows, size]);
}

/** [B, H, L, D] as [B, L, H·D]. */
function interleave({ data, dims: [batch, heads, rows, size] }: Tensor): Tensor {
  const result = new Float32Array(data.length);
  for (let b = 0; b < batch; b++)
    for (let h = 0; h < heads; h++)
      for (let i = 0; i < rows; i++) {
        const from = ((b * heads + h) * rows + i) * size;
        result.set(data.subarray(from, from + size), ((b * rows + i) * heads + h) * size);
      }
  return tensor(result, [batch, rows, heads * size]);
}

/** ln Σ e^s of each row of published scores, of which the masked ones are −∞. */
function rowLogSumExp({ data, dims }: Tensor): Tensor {
  const keys = dims[3];
  const rows = dims.slice(0, 3);
  const result = new Float32Array(data.length / keys);
  for (let i = 0; i < result.length; i++) {
    let sum = 0;
    for (let j = 0; j < keys; j++) sum += Math.exp(data[i * keys + j]);
    result[i] = Math.log(sum);
  }
  return tensor(result, rows);
}
