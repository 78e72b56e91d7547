// linear with weights of few bits beside float32's, turn by turn. One row is read from memory: copies of the
// weight take turns until they are more than any cache holds.

import { type Attention, linear, type PreparedLinear, prepareLinear, tensor } from "wasm-attention";
import { int8Lowering } from "wasm-attention/integers";
import { type PrepareQuantizedOptions, prepareQuantized } from "wasm-attention/quantized";
import { random } from "./cases";
import { paired } from "./paired";
import type { LinearCase } from "./peers/peer";
import type { Report } from "./rows";

export const quantizedCases: readonly LinearCase[] = [1, 64].flatMap((m) =>
  [768, 2048].map((size) => ({ m, k: size, columns: size })),
);

/** Of float32 weights. */
const BYTES = 256e6;
const FORMS: readonly PrepareQuantizedOptions[] = [
  { numbers: "int8" },
  { numbers: "int4" },
  { numbers: "int8", activations: "int8" },
];

export async function benchQuantized(
  attention: Attention<"quantized" | "integers">,
  c: LinearCase,
  report: Report,
): Promise<void> {
  const { m, k, columns } = c;
  const weight = tensor(random(k * columns, 1 / 32), [k, columns]);
  const copies = m > 1 ? 1 : Math.ceil(BYTES / (4 * k * columns));
  const [x, out] = [attention.allocate([m, k]), attention.allocate([m, columns])];
  x.data.set(random(m * k));
  const made: PreparedLinear[] = [];
  const several = (make: () => PreparedLinear) => {
    const weights = Array.from({ length: copies }, make);
    made.push(...weights);
    let turn = 0;
    return () => void linear(attention, x, weights[turn++ % copies], { out });
  };
  const { variant: build, threads } = attention;
  try {
    const float = several(() => prepareLinear(attention, weight, { order: "in,out" }));
    for (const form of FORMS) {
      const { numbers, activations } = form;
      const by = activations ? ` by ${activations} (${int8Lowering(attention)})` : "";
      const few = several(() => prepareQuantized(attention, weight, { ...form, order: "in,out" }));
      const pair = await paired(few, float);
      const op = `linear ${numbers}${by}`;
      report({ op, build, threads, ...c, place: "allocated", peer: "float32", ...pair });
    }
  } finally {
    for (const each of [x, out, ...made]) each.dispose();
  }
}
