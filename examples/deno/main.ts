// Attention is kernel regression (Nadaraya and Watson, 1964): a smoothed series is the mean of its
// values, weighted by e^(−(t − u)²/2h²). Less what depends on t alone, which a softmax does not see,
// the exponent is the product of [t, 1] and [u/h², −u²/2h²].

import { createAttention, tensor } from "wasm-attention";

const [width = "2", ...words] = Deno.args;
const h = Number(width);
const series = Float32Array.from(words, Number);
if (!(h > 0) || series.length === 0 || !series.every(Number.isFinite)) {
  console.error("deno task start WIDTH NUMBERS…");
  Deno.exit(2);
}

const n = series.length;
const query = new Float32Array(2 * n);
const key = new Float32Array(2 * n);
for (let t = 0; t < n; t++) {
  query.set([t, 1], 2 * t);
  key.set([t / h ** 2, -(t ** 2) / (2 * h ** 2)], 2 * t);
}
using attention = await createAttention();
const { output } = attention.attend(
  tensor(query, [n, 2]),
  tensor(key, [n, 2]),
  tensor(series, [n, 1]),
  { scale: 1 },
);
console.log([...output.data].map((value) => value.toFixed(4)).join(" "));
