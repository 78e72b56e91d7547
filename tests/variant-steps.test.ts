// LocationSensitiveAttention and MonotonicAttention against float64 from the formulas, step by step.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { prepareLinear, linear as product, type Tensor, tensor } from "wasm-attention";
import {
  type LocationResult,
  LocationSensitiveAttention,
  locationSensitiveAttention,
  MonotonicAttention,
  monotonicAttention,
  weightedSum,
} from "wasm-attention/variants";
import { B, D, draw, Eq, L, near, S } from "./checks/variant-layers";
import { bitsOf, engine, randomTensor, variants } from "./engines";
import { linear } from "./reference-linear";
import { monotonicRow } from "./reference-variants";

const bits = ({ output, weights, state }: LocationResult) => bitsOf({ output, weights, ...state });

for (const variant of variants) {
  test(`LocationSensitiveAttention: steps, Tacotron 2's names and sizes, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    const sizes = { batch: 2, keys: 40, size: 128, filters: 32, width: 31, eq: 24, ek: 20 };
    const { batch, keys, size, filters, width, eq, ek } = sizes;
    const tacotron = {
      "query_layer.linear_layer.weight": randomTensor([size, eq], 1, 0.4),
      "memory_layer.linear_layer.weight": randomTensor([size, ek], 2, 0.4),
      "v.linear_layer.weight": randomTensor([1, size], 3, 0.4),
      "location_layer.location_conv.conv.weight": randomTensor([filters, 2, width], 4),
      "location_layer.location_dense.linear_layer.weight": randomTensor([size, filters], 5),
    };
    const layer = LocationSensitiveAttention.fromTacotron2(attention, tacotron);
    const dense = tacotron["location_layer.location_dense.linear_layer.weight"].data;
    const weights = {
      query: { weight: tacotron["query_layer.linear_layer.weight"], order: "out,in" },
      key: { weight: tacotron["memory_layer.linear_layer.weight"], order: "out,in" },
      scoreWeight: tacotron["v.linear_layer.weight"].data,
      filters: tacotron["location_layer.location_conv.conv.weight"],
      locationWeight: tensor(
        Float32Array.from(
          { length: filters * size },
          (_, i) => dense[(i % size) * filters + Math.floor(i / size)],
        ),
        [filters, size],
      ),
    } as const;
    const same = new LocationSensitiveAttention(attention, weights);
    const source = randomTensor([batch, keys, ek], 6);
    const memory = layer.memory(source);
    assert.equal(memory.value.data, source.data);
    assert.deepEqual((await layer.memoryAsync(source)).key.data, memory.key.data);
    const keyLengths = [keys, keys - 7];
    const unit = linear(
      Float64Array.from(source.data),
      Float64Array.from(
        { length: ek * size },
        (_, i) => weights.key.weight.data[(i % size) * ek + Math.floor(i / size)],
      ),
      undefined,
      batch * keys,
      ek,
      size,
    );
    near(memory.key.data, unit, 1e-6, "memory");
    let state: ReturnType<typeof layer.step>["state"] | undefined;
    for (const seed of [7, 8, 9]) {
      const query = randomTensor([batch, eq], seed);
      const step = layer.step(query, memory, { state, keyLengths });
      const later = await same.stepAsync(query, memory, { state, keyLengths });
      assert.deepEqual(bits(later), bits(step));
      // The operation, with the query projected by hand.
      using w = prepareLinear(attention, weights.query.weight, { order: "out,in" });
      const projected = tensor(new Float32Array(batch * size), [batch, size]);
      product(attention, query, w, { out: projected });
      const { query: _, key: __, ...given } = weights;
      const options = { ...given, state, keyLengths };
      const want = locationSensitiveAttention(attention, projected, memory.key, source, options);
      assert.deepEqual(bits(step), bits(want));
      state = step.state;
    }
    assert.match(inspect(layer), /^LocationSensitiveAttention \{[\s\S]*filters: \[ 32, 2, 31 \]/);
    for (const each of [layer, same]) each.dispose();
    assert.equal(attention.memory.used, used);
  });

  test(`MonotonicAttention: energies, alignment, output; all at once and step by step, ${variant}`, async () => {
    const attention = await engine(variant);
    const { used } = attention.memory;
    for (const [scaled, biased, own] of [
      [true, true, true],
      [false, false, false],
    ]) {
      const { tensors, weights, heads } = draw(scaled, biased, 30);
      const { query, key, value } = tensors;
      const layer = new MonotonicAttention(attention, { ...weights, scoreOffset: -1 });
      const inputs = { query, key, ...(own && { value }) };
      const keyLengths = [S, S - 1];
      const got = layer.forward(inputs, { keyLengths });
      assert.deepEqual(bitsOf(await layer.forwardAsync(inputs, { keyLengths })), bitsOf(got));
      const all = heads(own, () => true);
      const energies = all.map((head) =>
        Array.from({ length: L }, (_, i) =>
          Array.from({ length: S }, (_, j) => {
            let sum = -1;
            for (let d = 0; d < D; d++) {
              const inside = head.query[i * D + d] + (head.bias?.[d] ?? 0) + head.key[j * D + d];
              sum += head.weight[d] * Math.tanh(inside);
            }
            return sum;
          }),
        ),
      );
      near(got.energies.data, energies.flat(2), 2e-6, "energies");
      const first = Array.from({ length: S }, (_, j) => (j ? 0 : 1));
      const alignment = energies.map((rows, b) =>
        monotonicRow(
          rows.map((row) => row.map((e) => 1 / (1 + Math.exp(-e)))),
          first,
          keyLengths[b],
        ),
      );
      near(got.alignment.data, alignment.flat(2), 2e-6, "alignment");
      const output = all.flatMap((head, b) =>
        alignment[b].flatMap((row) =>
          Array.from({ length: head.columns }, (_, c) =>
            row.reduce((sum, a, j) => sum + a * head.value[j * head.columns + c], 0),
          ),
        ),
      );
      near(got.output.data, output, 3e-6, "output");
      // What the paper's training goes on from: the same by the operations.
      const again = monotonicAttention(attention, got.energies, { logits: true, keyLengths });
      assert.deepEqual(again.data, got.alignment.data);
      const mixed = weightedSum(attention, again, own ? value : key);
      assert.deepEqual(mixed.data, got.output.data);
      let previous: Tensor | undefined;
      for (let i = 0; i < L; i++) {
        const rows = query.data.filter((_, at) => Math.floor(at / Eq) % L === i);
        const step = layer.forward(
          { ...inputs, query: tensor(rows, [B, 1, Eq]) },
          { keyLengths, previous },
        );
        const row = got.alignment.data.filter((_, at) => Math.floor(at / S) % L === i);
        assert.deepEqual(step.alignment.data, row);
        previous = tensor(step.alignment.data, [B, S]);
      }
      const hard = layer.forward(inputs, { mode: "hard" });
      assert.ok(hard.alignment.data.every((a) => a === 0 || a === 1));
      layer.dispose();
    }
    assert.equal(attention.memory.used, used);
  });
}
