// Known answers of the variants kernels, see selftest.ts.

import { at, check, numbers } from "../answers";
import type { Attention } from "../attend/attention";
import { linearAttention } from "./linear-attention";

export function checkVariants(name: string, attention: Attention<"variants">): void {
  const [rows, depth, columns] = [7, 9, 10];
  const [q, k, decay] = [1, 2, 3].map((seed) => numbers([rows, depth], seed));
  const v = numbers([rows, columns], 4);
  if (!q || !k || !decay) return;
  const options = { updateRule: "gated", decay } as const;
  const state = new Float64Array(depth * columns);
  const want = Array.from({ length: rows * columns }, (_, index) => {
    const [t, c] = [Math.floor(index / columns), index % columns];
    let sum = 0;
    for (let d = 0; d < depth; d++) {
      const i = d * columns + c;
      const before = at(state, i) * Math.exp(at(decay.data, t * depth + d));
      state[i] = before + at(k.data, t * depth + d) * at(v.data, t * columns + c);
      sum += (at(q.data, t * depth + d) * at(state, i)) / Math.sqrt(depth);
    }
    return sum;
  });
  const { output } = linearAttention(attention, q, k, v, options);
  const size = want.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
  const share = (values: ArrayLike<number>) => Array.from(values, (x) => x / size);
  check(name, "linearAttention", share(output.data), share(want));
}
