// The shapes that frameworks give their masks.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiHeadAttention, type Tensor, tensor } from "wasm-attention";
import { type AttendState, attendBackward } from "wasm-attention/training";
import { additive, boolean } from "./drawn-masks";
import { engine, randomTensor, variants } from "./engines";

const of = (seed: number, ...dims: number[]) => randomTensor(dims, seed);

for (const variant of variants) {
  test(`nn.MultiheadAttention's [B·H, L, S], alone and with key_padding_mask, ${variant}`, async () => {
    const attention = await engine(variant);
    const [B, H, L, S, D] = [3, 2, 4, 5, 8];
    const [q, k] = [of(1, B, L, H * D), of(2, B, S, H * D)];
    const { data } = additive(3, B * H, L, S);
    const padding = Uint8Array.from({ length: B * S }, (_, at) => (at % S > 1 + at / S ? 0 : 1));
    const options = { layout: "BLE", heads: H, logSumExp: true, weights: true } as const;
    const want = attention.attend(q, k, k, { ...options, mask: { data, dims: [B, H, L, S] } });
    const mask = { data, dims: [B * H, L, S] };
    assert.deepEqual(attention.attend(q, k, k, { ...options, mask }), want);
    assert.deepEqual(
      attention.attend(q, k, k, {
        ...options,
        mask: { data: data.slice(0, B * H * S), dims: [B * H, 1, S] },
      }),
      attention.attend(q, k, k, {
        ...options,
        mask: { data: data.slice(0, B * H * S), dims: [B, H, 1, S] },
      }),
    );
    const { maskGradient } = attendBackward(
      attention,
      { ...(want as AttendState), query: q, key: k, value: k, outputGradient: q },
      {
        ...options,
        mask,
        gradients: { mask: true },
      },
    );
    assert.deepEqual(maskGradient?.dims, [B * H, L, S]);

    const eye = tensor(
      Float32Array.from({ length: (H * D) ** 2 }, (_, at) => (at % (H * D + 1) ? 0 : 1)),
      [H * D, H * D],
    );
    using layer = MultiHeadAttention.fromMatrices(
      attention,
      { wq: eye, wk: eye, wv: eye, dense: eye },
      { heads: H },
    );
    const { output } = layer.forward(
      { query: q, key: k, value: k },
      {
        mask: [mask, { data: padding, dims: [B, 1, 1, S] }],
      },
    );
    // PyTorch merges them: −∞ in every row and head of a key that is padding.
    const merged = data.map((x, at) => {
      const b = Math.floor(at / (H * L * S));
      return padding[b * S + (at % S)] ? x : -Infinity;
    });
    const one = { mask: { data: merged, dims: [B, H, L, S] } };
    assert.deepEqual(output, layer.forward({ query: q, key: k, value: k }, one).output);
    // One head: a mask of each batch.
    const alone = { layout: "BLE", heads: 1, mask: { data: data.slice(0, B * L * S) } } as const;
    const run = (dims: number[]) =>
      attention.attend(q, k, k, { ...alone, mask: { ...alone.mask, dims } });
    assert.deepEqual(run([B, L, S]), run([B, 1, L, S]));
  });

  test(`Keras's boolean [B, L, S] is [B, 1, L, S], ${variant}`, async () => {
    const attention = await engine(variant);
    // As many batches as heads: [B, L, S] alone would be read as [H, L, S].
    const [B, H, L, S, D] = [2, 2, 3, 4, 4];
    const [q, k, v] = [of(1, B, H, L, D), of(2, B, H, S, D), of(3, B, H, S, D)];
    const { data } = boolean(4, B, L, S);
    const { weights } = attention.attend(q, k, v, {
      mask: { data, dims: [B, 1, L, S] },
      weights: true,
    });
    const { scores } = attention.attend(q, k, v, { scores: "raw" });
    // keras.layers.Softmax over the scores, those left out at −∞; here no row is without a key.
    for (let row = 0; row < B * H * L; row++) {
      const [b, i] = [Math.floor(row / (H * L)), row % L];
      const terms = Array.from({ length: S }, (_, j) =>
        data[(b * L + i) * S + j] ? Math.exp(scores!.data[row * S + j]) : 0,
      );
      const sum = terms.reduce((x, y) => x + y, 0);
      for (const [j, term] of terms.entries()) {
        const want = sum ? term / sum : 0;
        assert.ok(Math.abs(weights!.data[row * S + j] - want) < 1e-6, `row ${row}, key ${j}`);
      }
    }
  });

  test(`Swin's relative bias and shift mask, ${variant}`, async () => {
    const attention = await engine(variant);
    const [images, windows, H, N, D] = [2, 4, 3, 49, 32];
    const B = images * windows;
    const qkv = [1, 2, 3].map((seed) => of(seed, B, H, N, D)) as [Tensor, Tensor, Tensor];
    const bias = of(4, H, N, N);
    // 0 or −100, one for each window, the same for every image.
    const shift = Float32Array.from({ length: windows * N * N }, (_, at) => (at % 3 ? 0 : -100));
    const repeated = new Float32Array(B * N * N);
    for (let image = 0; image < images; image++) repeated.set(shift, image * shift.length);
    const got = attention.attend(...qkv, {
      mask: [bias, { data: repeated, dims: [B, 1, N, N] }],
      scores: "biased",
    });
    const { scores } = attention.attend(...qkv, { scores: "raw" });
    for (const [at, score] of scores!.data.entries()) {
      const [b, h, rest] = [
        Math.floor(at / (H * N * N)),
        Math.floor(at / (N * N)) % H,
        at % (N * N),
      ];
      const first = Math.fround(score + bias.data[h * N * N + rest]);
      const want = Math.fround(first + repeated[b * N * N + rest]);
      assert.equal(got.scores!.data[at], want);
    }
  });
}
