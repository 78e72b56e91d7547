// Layers of fused matrices: each kind against float64, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fromPacked, fromPyTorch, type StateDict } from "wasm-attention/weights";
import { checkPackedWeights, dictOf, E, kinds, L, weightsOf } from "./checks/packed-weights";
import { engine, randomTensor, variants } from "./engines";

for (const [name, kind] of Object.entries(kinds)) {
  test(`${name}: against float64, both builds`, async () => {
    for (const variant of variants) checkPackedWeights(await engine(variant), kind);
  });
}

test("without biases, from linear memory, and as fromPyTorch reads it", async () => {
  const attention = await engine("portable");
  const kind = kinds["torch.nn.MultiheadAttention"];
  const [fused, , output] = weightsOf(kind);
  const x = randomTensor([L, E], 5);
  const dict = { in_proj_weight: fused, "out_proj.weight": output };
  const plain = { in_proj_weight: fused, "out_proj.weight": output };
  using wanted = fromPyTorch(attention, plain, { heads: 4 });
  const allocated = attention.allocate(fused.dims);
  allocated.data.set(fused.data);
  const config = { heads: 4, order: "out,in" } as const;
  using layer = fromPacked(attention, { ...dict, in_proj_weight: allocated }, config);
  allocated.dispose();
  assert.deepEqual(layer.forward(x).output, wanted.forward(x).output);
});

test("buffers of old checkpoints are no weights", async () => {
  const attention = await engine("portable");
  const kind = kinds["GPT-2"];
  const dict = {
    ...dictOf(kind, weightsOf(kind)),
    bias: randomTensor([1, 1, 8, 8], 1),
    masked_bias: randomTensor([1], 1),
    "rotary_emb.inv_freq": randomTensor([2], 1),
  };
  fromPacked(attention, dict, { heads: 4, order: "in,out" }).dispose();
});

test("weights that are missing, too many or of other sizes are named", async () => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  const kind = kinds["GPT-2"];
  const weights = weightsOf(kind);
  const good = dictOf(kind, weights);
  const { "c_attn.weight": _, ...noInput } = good;
  const { "c_proj.weight": __, ...noOutput } = good;
  const some = '"c_attn.bias", "c_proj.weight", "c_proj.bias"';
  const config = { heads: 4, order: "in,out" } as const;
  const refused: [StateDict, object, string][] = [
    [
      noInput,
      {},
      `"c_attn.weight" expected a tensor of this name, got none among the keys ${some}`,
    ],
    [
      noInput,
      { order: "out,in" },
      `"in_proj_weight" expected a tensor of this name, got none among the keys ${some}`,
    ],
    [
      noInput,
      { order: "out,in", interleaved: true },
      `"query_key_value.weight" expected a tensor of this name, got none among the keys ${some}`,
    ],
    [
      noOutput,
      {},
      '"c_proj.weight" expected a tensor of this name, got none among the keys "c_attn.weight", "c_attn.bias", "c_proj.bias"',
    ],
    [
      dictOf(kind, weights, "h.1.attn."),
      {},
      '"c_attn.weight" expected a tensor of this name, got none among the keys "h.1.attn.c_attn.weight", ' +
        '"h.1.attn.c_attn.bias", "h.1.attn.c_proj.weight", …: pass { prefix: "h.1.attn." }',
    ],
    [
      { ...good, "q_norm.weight": weights[1] },
      {},
      '"q_norm.weight" expected no such weight: the layer has no place for it, got an object with {data, dims}',
    ],
    [
      { ...good, bias: weights[1] },
      {},
      '"bias" expected no such weight: the layer has no place for it, got an object with {data, dims}',
    ],
    [
      good,
      { order: "out,in" },
      '"c_proj.weight.dims" expected [E, H·D = 4·1], by the c_attn.weight [12, 60] in order "out,in", got [20, 12]',
    ],
    [good, { heads: 7 }, '"c_attn.weight.dims" expected [E, (H + 2·Hkv)·D = 21·D], got [12, 60]'],
    [{ ...good, "c_attn.bias": weights[3] }, {}, '"c_attn.bias" expected 60 elements, got 12'],
    [good, { order: "in_out" }, '"order" expected "in,out" or "out,in", got "in_out"'],
    [good, { interleaved: 1 }, '"interleaved" expected a boolean, got 1'],
    [
      good,
      { transposed: true },
      '"config.transposed" expected one of heads, keyValueHeads, appended, prefix, order, interleaved, got an option that does not exist',
    ],
  ];
  for (const [dict, more, message] of refused) {
    let said = "";
    try {
      fromPacked(attention, dict, { ...config, ...more }).dispose();
    } catch (error) {
      said = `${(error as Error).name}: ${(error as Error).message}`;
    }
    assert.equal(said, `ArgumentError: fromPacked: ${message}`);
  }
  assert.equal(attention.memory.used, used);
});
