// The property `maps`, read once and checked: every layer and head as one Float32Array [L · S], and what
// else there is to show.

import { bufferOf, isFloats, kindOf, lengthOf } from "../arrays";
import { reader } from "../check/names";
import { describe } from "../errors";
import { checkDims, elementsOf } from "../tensor/dims";
import { checkInteger, NAME, refuse } from "./refusal";
import type { AttentionMaps, PatchImage } from "./types";
import { type Span, spans } from "./visible";

/** Tensors of all layers and heads [rows, columns]. */
export interface Stack {
  readonly layers: number;
  readonly heads: number;
  readonly rows: number;
  readonly columns: number;
  at(layer: number, head: number): Float32Array;
}

export interface Maps {
  readonly weights: Stack;
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly image: Required<PatchImage> | undefined;
  readonly products: Products | undefined;
  /** The keys that a row sees. */
  readonly span: Span;
  readonly pageSize: number | undefined;
}

export interface Products {
  readonly query: Stack;
  readonly key: Stack;
  readonly scale: number;
}

const read = reader<AttentionMaps>(
  {
    weights: 1,
    rows: 1,
    columns: 1,
    image: 1,
    query: 1,
    key: 1,
    scale: 1,
    causal: 1,
    queryOffset: 1,
    window: 1,
    pageSize: 1,
  },
  "{ weights, rows, … }",
);
const readImage = reader<PatchImage>(
  { source: 1, rows: 1, columns: 1, first: 1 },
  "{ source, rows, columns }",
);

/** @throws ArgumentError */
export function checkMaps(given: unknown): Maps {
  const maps = read(NAME, given, "maps");
  const weights = checkStack("maps.weights", maps.weights, "L, S");
  const { rows: length, columns: size } = weights;
  const rows = checkTokens("maps.rows", maps.rows, length, "L");
  const image = maps.image === undefined ? undefined : checkImage(maps.image, size);
  const columns =
    maps.columns !== undefined || (!image && length !== size)
      ? checkTokens("maps.columns", maps.columns, size, "S")
      : image
        ? patches(image, size)
        : rows;
  const { pageSize } = maps;
  return {
    weights,
    rows,
    columns,
    image,
    products: checkProducts(maps, weights),
    span: spans(maps, length, size),
    pageSize: pageSize === undefined ? undefined : checkInteger("maps.pageSize", pageSize, 1),
  };
}

function checkTokens(argument: string, given: unknown, count: number, axis: string) {
  const expected = `${axis} = ${count} strings`;
  if (!Array.isArray(given)) return refuse(argument, expected, given);
  const tokens: unknown[] = Array.from(given);
  if (tokens.length !== count) refuse(argument, expected, given);
  const wrong = tokens.findIndex((token) => typeof token !== "string");
  if (wrong >= 0) refuse(`${argument}[${wrong}]`, "a string", tokens[wrong]);
  return tokens as string[];
}

function checkStack(argument: string, given: unknown, axes: string): Stack {
  const list = Array.isArray(given);
  const parts = (list ? Array.from(given) : [given]).map((each, layer) =>
    checkPart(list ? `${argument}[${layer}]` : argument, each, { axes, list }),
  );
  if (parts.length === 0) refuse(argument, "a tensor for each layer", given);
  const { dims } = parts[0]!;
  parts.forEach((part, layer) => {
    if (part.dims.join() !== dims.join())
      refuse(`${argument}[${layer}].dims`, `${describe(dims)}, as those of layer 0`, part.dims);
  });
  const [layers, heads, rows, columns] = dims as [number, number, number, number];
  const area = rows * columns;
  return {
    layers: list ? parts.length : layers,
    heads,
    rows,
    columns,
    at(layer, head) {
      const { data } = parts[list ? layer : 0]!;
      const from = ((list ? 0 : layer) * heads + head) * area;
      return data.subarray(from, from + area);
    },
  };
}

/** With four axes, the first ones 1 where they are not given. */
function checkPart(
  argument: string,
  given: unknown,
  { axes, list }: { axes: string; list: boolean },
) {
  const expected = `a tensor of dims [${list ? "" : "layers?, "}heads, ${axes}] or [${axes}]`;
  if (typeof given !== "object" || given === null) return refuse(argument, expected, given);
  const { data, dims: sizes } = given as { data?: unknown; dims?: unknown };
  if (data === undefined || sizes === undefined) return refuse(argument, expected, given);
  const dims = checkDims(NAME, `${argument}.dims`, sizes);
  const many = dims.length < 2 || dims.length > 4 || (list && dims.length === 4 && dims[0] !== 1);
  if (many || dims.includes(0)) refuse(`${argument}.dims`, expected, dims);
  if (!isFloats(data)) return refuse(`${argument}.data`, "a Float32Array", data);
  const count = lengthOf(data);
  if (count !== elementsOf(dims))
    refuse(`${argument}.data`, `${dims.join("·")} = ${elementsOf(dims)} elements`, count);
  // Linear memory that grows takes its old views along.
  const own = bufferOf(data).byteLength === data.byteLength && kindOf(data) === "Float32Array";
  const ones = [1, 1].slice(dims.length - 2);
  return { data: own ? data : Float32Array.from(data), dims: [...ones, ...dims] };
}

function checkProducts(maps: AttentionMaps, weights: Stack): Products | undefined {
  if (maps.query === undefined && maps.key === undefined) return undefined;
  const query = checkStack("maps.query", maps.query, "L, D");
  const key = checkStack("maps.key", maps.key, "S, D");
  const { layers, heads, rows, columns } = weights;
  const fit = (name: string, stack: Stack, dims: readonly number[]) => {
    const own = [stack.layers, stack.heads, stack.rows, stack.columns];
    if (dims.some((size, axis) => size !== own[axis])) refuse(name, describe(dims), own);
  };
  const size = query.columns;
  fit("maps.query", query, [layers, heads, rows, size]);
  const shared = heads % key.heads === 0 ? key.heads : heads;
  fit("maps.key", key, [layers, shared, columns, size]);
  const { scale = 1 / Math.sqrt(size) } = maps;
  if (!Number.isFinite(scale)) refuse("maps.scale", "a finite number", scale);
  return { query, key, scale };
}

function checkImage(given: unknown, keys: number): Required<PatchImage> {
  const { source, rows, columns, first = 0 } = readImage(NAME, given, "maps.image");
  if (typeof source !== "object" || source === null || !("width" in source))
    refuse("maps.image.source", "an image, a canvas, a video or an ImageBitmap", source);
  checkInteger("maps.image.rows", rows, 1);
  checkInteger("maps.image.columns", columns, 1);
  checkInteger("maps.image.first", first, 0);
  const end = first + rows * columns;
  if (end > keys) refuse("maps.image", `first + rows · columns of at most ${keys} keys`, end);
  return { source, rows, columns, first };
}

/** Keys that are no patches go by their number. */
function patches({ rows, columns, first }: Required<PatchImage>, keys: number): string[] {
  return Array.from({ length: keys }, (_, key) => {
    const patch = key - first;
    if (patch < 0 || patch >= rows * columns) return `key ${key}`;
    return `patch ${Math.floor(patch / columns) + 1}, ${(patch % columns) + 1}`;
  });
}
