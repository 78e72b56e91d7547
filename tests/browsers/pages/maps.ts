// Maps that tests show, made in the page and in the test alike.

import type { AttentionMaps } from "wasm-attention/view";

export const words =
  "Call me Ishmael. Some years ago never mind how long precisely having little or no money in my purse and nothing particular to interest me on shore I thought I would sail about a little and see the watery part".split(
    " ",
  );

/** Thumbnails of so many layers and heads. */
export const heads = (layers: number, heads: number) =>
  layers * (heads + Number(heads > 1)) + Number(layers > 1);

function numbers(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (state * 16807) % 2147483647;
    return (state / 2147483647) * 4 - 2;
  });
}

/** Numbers of a query and a key. */
const SIZE = 8;

/** Causal weights [layers, heads, tokens, tokens] of random queries and keys. */
export function softmax(layers: number, heads: number, tokens: number): Float32Array {
  const count = layers * heads;
  const [query, key] = [numbers(count * tokens * SIZE, 1), numbers(count * tokens * SIZE, 2)];
  const weights = new Float32Array(count * tokens * tokens);
  for (let row = 0; row < count * tokens; row++) {
    const first = Math.floor(row / tokens) * tokens;
    const scores: number[] = [];
    for (let other = first; other <= row; other++) {
      let product = 0;
      for (let d = 0; d < SIZE; d++) product += query[row * SIZE + d] * key[other * SIZE + d];
      scores.push(Math.exp(product / Math.sqrt(SIZE)));
    }
    const sum = scores.reduce((a, b) => a + b);
    weights.set(
      scores.map((score) => score / sum),
      row * tokens,
    );
  }
  return weights;
}

export function text(layers: number, heads: number, tokens: number): AttentionMaps {
  const dims = (last: number) => [layers, heads, tokens, last];
  const count = layers * heads * tokens * SIZE;
  return {
    weights: { data: softmax(layers, heads, tokens), dims: dims(tokens) },
    query: { data: numbers(count, 1), dims: dims(SIZE) },
    key: { data: numbers(count, 2), dims: dims(SIZE) },
    rows: words.slice(0, tokens),
    causal: true,
    pageSize: 16,
  };
}

/** Six tokens, the first with 60 % of each row, the next with 24 %. */
export function sink(): AttentionMaps {
  const row = [0.6, 0.24, 0.04, 0.04, 0.04, 0.04];
  const data = Float32Array.from({ length: 36 }, (_, at) => row[at % 6]);
  return { weights: { data, dims: [6, 6] }, rows: words.slice(0, 6) };
}

/** Each token looks at those just before it, and at the first. */
export function long(tokens: number): AttentionMaps {
  const data = new Float32Array(tokens * tokens);
  for (let row = 0; row < tokens; row++) {
    let sum = 0;
    for (let column = 0; column <= row; column++) {
      const near = Math.exp((column - row) / 40) * (1 + Math.sin(row * column));
      const weight = near + (column === 0 ? 8 : 0) + 0.001;
      data[row * tokens + column] = weight;
      sum += weight;
    }
    for (let column = 0; column <= row; column++) data[row * tokens + column] /= sum;
  }
  const rows = Array.from({ length: tokens }, (_, at) => `token ${at}`);
  return { weights: { data, dims: [tokens, tokens] }, rows, causal: true, pageSize: 512 };
}

export function translation(): AttentionMaps {
  const rows = ["le", "chat", "est", "assis", "sur", "le", "tapis"];
  const columns = ["the", "cat", "sat", "on", "the", "mat"];
  const to = [0, 1, 2, 2, 3, 4, 5];
  const data = Float32Array.from({ length: 42 }, (_, at) =>
    to[Math.floor(at / 6)] === at % 6 ? 0.75 : 0.05,
  );
  return { weights: { data, dims: [7, 6] }, rows, columns };
}

/** A class token, and 6 × 8 patches: the last word looks at one of them. */
export function picture(): AttentionMaps {
  const canvas = document.createElement("canvas");
  canvas.width = 320;
  canvas.height = 240;
  const context = canvas.getContext("2d") as CanvasRenderingContext2D;
  context.fillStyle = "rgb(34, 170, 119)";
  context.fillRect(0, 0, 320, 240);
  context.fillStyle = "rgb(68, 136, 255)";
  context.fillRect(0, 0, 320, 30);
  context.fillStyle = "rgb(255, 204, 51)";
  context.beginPath();
  context.arc(220, 120, 50, 0, 7);
  context.fill();
  const rows = ["where", "is", "the", "sun"];
  const data = new Float32Array(4 * 49).fill(1 / 49);
  data.fill(0.1 / 48, 3 * 49);
  data[3 * 49 + 1 + 8 + 2] = 0.9;
  const image = { source: canvas, rows: 6, columns: 8, first: 1 };
  return { weights: { data, dims: [4, 49] }, rows, image };
}
