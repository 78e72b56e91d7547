// Layers by the names that Hugging Face's transformers gives their weights: the same bits as by ours, in the
// form that goes with them; a name that is missing or too many is said whole.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tensor } from "wasm-attention";
import { decoderFromTransformers, encoderFromTransformers } from "wasm-attention/blocks";
import { cases, checkNamedLayer, drawn, heads } from "./checks/named-layers";
import { engine, variants } from "./engines";

for (const [name, named] of Object.entries(cases)) {
  for (const variant of variants) {
    test(`${name}: the same layer as by our own names, ${variant}`, async () =>
      checkNamedLayer(await engine(variant), named));
  }

  test(`${name}: a weight that is missing, and one too many, by name`, async () => {
    const attention = await engine("portable");
    const { dict, prefix, needed } = drawn(attention, named, 2);
    const { used } = attention.memory;
    const make = named.cross ? decoderFromTransformers : encoderFromTransformers;
    const config = { model: named.model, heads, prefix };
    assert.ok(needed.length >= 6);
    for (const missing of needed) {
      const without = new Map(dict);
      without.delete(missing);
      assert.throws(
        () => make(attention, without, config),
        (error: Error & { argument: string }) => {
          assert.equal(error.name, "ArgumentError");
          assert.match(error.message, /expected a tensor of this name, got none among the keys/);
          assert.equal(error.argument, missing);
          return true;
        },
      );
    }
    for (const surplus of ["adapter.weight", "attn.adapter.weight", `${named.linear1}.lora_A`]) {
      const more = new Map(dict).set(prefix + surplus, tensor(new Float32Array(1), [1]));
      assert.throws(() => make(attention, more, config), {
        argument: prefix + surplus,
        expected: "no such weight: the layer has no place for it",
      });
    }
    assert.equal(attention.memory.used, used);
  });
}
