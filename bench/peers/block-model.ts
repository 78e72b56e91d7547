// An encoder layer as a model for onnxruntime, of the operators its own exporter makes.

import { constant, encode, float, integer, type Problem, product, value } from "./model";
import type { BlockCase, BlockWeights } from "./peer";

const node = (opType: string, input: string[], output: string, domain = "") => ({
  opType,
  input,
  output: [output],
  domain,
});

/** output = x · weight + bias, both constants. */
const affine = (x: string, name: string, output = name) => [
  product(x, `${name}_weight`, `${output}_product`),
  node("Add", [`${output}_product`, `${name}_bias`], output),
];

const norm = (x: string, name: string, output = name) =>
  node("LayerNormalization", [x, `${name}_weight`, `${name}_bias`], output);

export function blockProblem(
  { n, heads, d, hidden }: BlockCase,
  x: Float32Array,
  weights: BlockWeights,
): Problem {
  const size = heads * d;
  const widths = { up: [size, hidden], down: [hidden, size], norm1: [size], norm2: [size] };
  const model = encode({
    node: [
      ...affine("x", "query"),
      ...affine("x", "key"),
      ...affine("x", "value"),
      {
        ...node("MultiHeadAttention", ["query", "key", "value"], "mixed", "com.microsoft"),
        attribute: [integer("num_heads", heads)],
      },
      ...affine("mixed", "dense"),
      node("Add", ["x", "dense"], "sum1"),
      norm("sum1", "norm1"),
      ...affine("norm1", "up"),
      node("Gelu", ["up"], "gelu", "com.microsoft"),
      ...affine("gelu", "down"),
      node("Add", ["norm1", "down"], "sum2"),
      norm("sum2", "norm2", "output"),
    ],
    initializer: Object.entries(weights).flatMap(([name, { weight, bias }]) => [
      constant(`${name}_weight`, weight, widths[name as keyof typeof widths] ?? [size, size]),
      constant(`${name}_bias`, bias, [bias.length]),
    ]),
    input: [value("x")],
  });
  return { model, feeds: { x: float(x, [1, n, size]) } };
}
