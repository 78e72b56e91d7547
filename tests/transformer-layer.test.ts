// TransformerEncoderLayer and TransformerDecoderLayer against PyTorch's formulas in float64, forward and
// backward, in every form.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { transformerBackward } from "wasm-attention/blocks";
import { engine, randomArray, variants } from "./engines";
import { shareOfTolerance } from "./reference";
import { type Parameters, transformerLayer } from "./reference-transformer";
import {
  doubles,
  forms,
  forward,
  layerOf,
  memory,
  nameOf,
  parametersOf,
  rotaryForms,
  x,
} from "./transformer-layers";

for (const form of [...forms, ...rotaryForms]) {
  const parameters = parametersOf(form);
  const solve = (given: Parameters, of = x, round?: typeof Math.fround) => {
    const [input, other] = [of, memory].map(({ data }) => Float64Array.from(data));
    return transformerLayer(input, other, given, form, round);
  };

  for (const variant of variants) {
    test(`forward, ${nameOf(form)}, ${variant}`, async () => {
      const attention = await engine(variant);
      const { used } = attention.memory;
      const layer = layerOf(attention, form, parameters);
      const want = solve(doubles(parameters));
      const naive = solve(doubles(parameters), x, Math.fround);
      const { output } = forward(layer, form);
      assert.deepEqual(output.dims, x.dims);
      const share = shareOfTolerance(output.data, want, [naive]);
      assert.ok(share <= 1, `${share} of the tolerance`);
      const recorded = forward(layer, form, { record: true });
      assert.deepEqual(recorded.output, output, "a pass that is recorded");
      recorded.record?.dispose();
      using place = attention.allocate(x.dims);
      place.data.set(x.data);
      assert.equal(forward(layer, form, { out: place }, place).output, place, "over its own x");
      assert.deepEqual(place.data, output.data);
      layer.dispose();
      layer.dispose();
      place.dispose();
      assert.equal(attention.memory.used, used);
    });
  }

  test(`gradients, ${nameOf(form)}`, async () => {
    const attention = await engine("portable");
    const { used } = attention.memory;
    const layer = layerOf(attention, form, parameters);
    const dy = tensor(randomArray(x.data.length, 9), x.dims);
    const { record } = forward(layer, form, { record: true });
    assert.ok(record);
    const got = transformerBackward(layer, dy, record);
    assert.throws(() => transformerBackward(layer, dy, record), { name: "DisposedError" });
    layer.dispose();
    assert.equal(attention.memory.used, used);

    const step = 1e-5;
    const differences = (data: Float64Array, of: () => Float64Array) =>
      data.map((value, i) => {
        const loss = [step, -step].map((by) => {
          data[i] = value + by;
          return of().reduce((sum, y, at) => sum + y * dy.data[at], 0);
        });
        data[i] = value;
        return (loss[0] - loss[1]) / (2 * step);
      });
    const near = (name: string, data: Float32Array | undefined, want: Float64Array) => {
      assert.equal(data?.length, want.length, name);
      const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
      for (const [i, value] of want.entries())
        assert.ok(Math.abs((data?.[i] ?? NaN) - value) < 4e-6 * largest, `${name}[${i}]`);
    };
    const p = doubles(parameters);
    const [input, other] = [x, memory].map(({ data }) => Float64Array.from(data));
    const run = () => transformerLayer(input, other, p, form);
    near("x", got.inputGradient.data, differences(input, run));
    assert.equal(!!got.memoryGradient, form.decoder);
    if (form.decoder) near("memory", got.memoryGradient?.data, differences(other, run));
    for (const [name, data] of Object.entries(p)) {
      const want = differences(data, run);
      const [first, second] = name.split(".");
      const part = second.replace("in_proj_", "") as "weight" | "bias";
      const place = { self_attn: "selfAttention", multihead_attn: "crossAttention" }[first];
      if (!place) {
        const own = got.weights[first as "linear1"];
        near(name, own[part]?.data, want);
        continue;
      }
      const own = got.weights[place as "selfAttention"];
      if (second === "out_proj") {
        near(name, own.output[name.split(".")[2] as "weight"]?.data, want);
        continue;
      }
      for (const [index, projection] of (["query", "key", "value"] as const).entries()) {
        const share = want.length / 3;
        near(name, own[projection][part]?.data, want.subarray(index * share, (index + 1) * share));
      }
    }
  });
}
