// ai.onnx.preview FlexAttention: its score_mod and prob_mod, graphs over [B, H, L, S], as our scoreMod and weightMod.

import type { ScoreTile, Tensor } from "wasm-attention";
import { modifiedWeights } from "wasm-attention/variants";
import type { Whole } from "../engines";
import { type Case, floats, input, type Value } from "./case";

interface Graph {
  readonly nodes: readonly {
    readonly op: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
    readonly attributes: Readonly<Record<string, number>>;
  }[];
  readonly initializers: readonly Value[];
  readonly inputs: readonly { readonly name: string }[];
  readonly outputs: readonly { readonly name: string }[];
}

/** A number for each place of a shape. */
interface Dense {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

export function flexAttention(engine: Whole, c: Case): Tensor[] {
  const [query, key, value] = ["Q", "K", "V"].map((name) => floats(input(c, name) as never));
  const { scale, score_mod, prob_mod } = c.attributes;
  const shape = [...query.dims.slice(0, 3), key.dims[2]];
  const scoreMod = score_mod && ((tile: ScoreTile) => applyToTile(score_mod, shape, tile));
  const normalizer =
    prob_mod &&
    modifiedWeights({
      weightMod: ({ weights, ...place }) =>
        applyToTile(prob_mod, shape, { ...place, scores: weights }),
    });
  return [engine.attend(query, key, value, { scale, scoreMod, normalizer }).output];
}

/** The graph knows places only within all scores: the tile is laid into them and taken out again. */
function applyToTile(graph: Graph, shape: number[], tile: ScoreTile): void {
  const [, heads, queries, keys] = shape;
  const { scores, batch, head, query, key, rows, columns } = tile;
  const place = (i: number, j: number) =>
    ((batch * heads + head) * queries + query + i) * keys + key + j;
  const whole = new Float32Array(shape.reduce((a, b) => a * b, 1));
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) whole[place(i, j)] = scores[i * columns + j];
  const { data } = run(graph, { shape, data: whole });
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < columns; j++) scores[i * columns + j] = data[place(i, j)];
}

function run(graph: Graph, scores: Dense): Dense {
  const values = new Map<string, Dense>([[graph.inputs[0].name, scores]]);
  for (const { name, shape, data } of graph.initializers) {
    values.set(name, { shape, data: data.map(Number) });
  }
  for (const { op, inputs, outputs, attributes } of graph.nodes) {
    const operator = operators[op];
    if (!operator) throw new Error(`score_mod has an operator that is not known here: ${op}`);
    const given = inputs.map((name) => values.get(name) as Dense);
    values.set(outputs[0], operator(given, attributes));
  }
  return values.get(graph.outputs[0].name) as Dense;
}

type Operator = (inputs: Dense[], attributes: Readonly<Record<string, number>>) => Dense;

const unary =
  (f: (x: number) => number): Operator =>
  ([x]) => ({ shape: x.shape, data: Array.from(x.data, f) });

const binary = (f: (x: number, y: number) => number): Operator => broadcast((x, y) => f(x, y));

const operators: Record<string, Operator> = {
  Abs: unary(Math.abs),
  Neg: unary((x) => -x),
  Exp: unary(Math.exp),
  Tanh: unary(Math.tanh),
  Sqrt: unary(Math.sqrt),
  Not: unary((x) => (x ? 0 : 1)),
  Identity: unary((x) => x),
  Floor: unary(Math.floor),
  Sign: unary(Math.sign),
  Add: binary((x, y) => x + y),
  Sub: binary((x, y) => x - y),
  Mul: binary((x, y) => x * y),
  Div: binary((x, y) => x / y),
  Max: binary(Math.max),
  Min: binary(Math.min),
  Mod: binary((x, y) => x - y * Math.floor(x / y)),
  Pow: binary((x, y) => x ** y),
  Less: binary((x, y) => Number(x < y)),
  LessOrEqual: binary((x, y) => Number(x <= y)),
  Greater: binary((x, y) => Number(x > y)),
  GreaterOrEqual: binary((x, y) => Number(x >= y)),
  Equal: binary((x, y) => Number(x === y)),
  And: binary((x, y) => Number(x && y)),
  Or: binary((x, y) => Number(x || y)),
  Where: broadcast((condition, x, y) => (condition ? x : y)),
  // 1, 10, 11 and 16 are floating-point types; the others hold whole numbers.
  Cast: ([x], { to }) => unary([1, 10, 11, 16].includes(to) ? (n) => n : Math.trunc)([x], {}),
  Shape: ([x]) => ({ shape: [x.shape.length], data: x.shape }),
  Gather: ([x, index]) => ({
    shape: index.shape,
    data: Array.from(index.data, (at) => x.data[at < 0 ? at + x.data.length : at]),
  }),
  Range: ([start, limit, step]) => {
    const length = Math.max(0, Math.ceil((limit.data[0] - start.data[0]) / step.data[0]));
    const data = Array.from({ length }, (_, i) => start.data[0] + i * step.data[0]);
    return { shape: [length], data };
  },
  Unsqueeze: ([x, axes]) => {
    const shape = [...x.shape];
    const rank = shape.length + axes.data.length;
    const places = Array.from(axes.data, (axis) => (axis < 0 ? axis + rank : axis));
    for (const axis of places.sort((a, b) => a - b)) shape.splice(axis, 0, 1);
    return { shape, data: x.data };
  },
  Expand: ([x, shape]) => {
    const ones = { shape: Array.from(shape.data), data: [] };
    return broadcast((value) => value)([x, ones], {});
  },
  Reshape: ([x, shape]) => {
    const wanted = Array.from(shape.data, (size, axis) => size || x.shape[axis]);
    const rest = x.data.length / Math.abs(wanted.reduce((a, b) => a * b, 1));
    return { shape: wanted.map((size) => (size === -1 ? rest : size)), data: x.data };
  },
};

function broadcast(f: (...numbers: number[]) => number): Operator {
  return (inputs) => {
    const rank = Math.max(...inputs.map(({ shape }) => shape.length));
    const padded = inputs.map(({ shape }) => [...new Array(rank - shape.length).fill(1), ...shape]);
    const shape = padded[0].map((_, axis) => Math.max(...padded.map((sizes) => sizes[axis])));
    const data = Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => {
      const places = shape.map((size, axis) => {
        const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
        return Math.floor(index / inner) % size;
      });
      return f(
        ...inputs.map(({ data: from }, n) => {
          const sizes = padded[n];
          return from[
            places.reduce((at, p, axis) => at * sizes[axis] + (sizes[axis] > 1 ? p : 0), 0)
          ];
        }),
      );
    });
    return { shape, data };
  };
}
