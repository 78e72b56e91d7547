// The gradients of examples/training against central differences of the same formulas in float64.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Tensor } from "wasm-attention";
import {
  Adam,
  Embedding,
  LayerNorm,
  lossOf,
  type Parameter,
  rateAt,
} from "../examples/training/block";
import { Block, DecoderBlock } from "../examples/training/layers";
import { seeded } from "../examples/training/random";
import { engine, randomArray } from "./engines";

type Numbers = ArrayLike<number>;

/** How a sum of f's results weighted by `weights` changes with each number of `at`. */
function differences(f: (x: Float64Array) => Numbers, at: Numbers, weights: Numbers): number[] {
  const step = 1e-5;
  const sum = (x: Float64Array) => {
    const y = f(x);
    let total = 0;
    for (let i = 0; i < y.length; i++) total += y[i] * weights[i];
    return total;
  };
  return Array.from(at, (_, i) => {
    const [up, down] = [Float64Array.from(at), Float64Array.from(at)];
    up[i] += step;
    down[i] -= step;
    return (sum(up) - sum(down)) / (2 * step);
  });
}

function assertClose(got: Numbers, want: Numbers, what: string, tolerance = 2e-5) {
  assert.equal(got.length, want.length, what);
  const largest = Math.max(...Array.from(want, Math.abs));
  assert.ok(largest > 0, `${what}: a gradient of zeros shows nothing`);
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i] - want[i]) / largest;
    assert.ok(error < tolerance, `${what}[${i}]: ${got[i]}, not ${want[i]}`);
  }
}

function norm(x: Numbers, scale: Numbers, bias: Numbers): Float64Array {
  const size = scale.length;
  const y = new Float64Array(x.length);
  for (let row = 0; row < x.length; row += size) {
    const values = Array.from({ length: size }, (_, i) => x[row + i]);
    const mean = values.reduce((a, b) => a + b) / size;
    const variance = values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / size;
    values.forEach((v, i) => {
      y[row + i] = ((v - mean) / Math.sqrt(variance + 1e-5)) * scale[i] + bias[i];
    });
  }
  return y;
}

/** Other numbers than a layer begins with, so that no term hides. */
function scatter(parameters: readonly Parameter[], amplitude = 0.7) {
  parameters.forEach(({ data }, i) => {
    for (const [k, value] of randomArray(data.length, 90 + i, amplitude).entries())
      data[k] += value;
  });
}

const tensorOf = (dims: number[], seed: number, amplitude = 1): Tensor => ({
  data: randomArray(
    dims.reduce((a, b) => a * b),
    seed,
    amplitude,
  ),
  dims,
});

test("layer normalisation: of x, scale and bias", async () => {
  const layer = new LayerNorm(await engine("portable"), 7, seeded(1));
  scatter(layer.parameters);
  const [x, dy] = [tensorOf([3, 7], 2), tensorOf([3, 7], 3)];
  const [scale, bias] = layer.parameters;
  assertClose(layer.forward(x).data, norm(x.data, scale.data, bias.data), "output");
  const dx = layer.backward(dy);
  const of = (f: (v: Float64Array) => Numbers, at: Numbers) => differences(f, at, dy.data);
  assertClose(
    dx.data,
    of((v) => norm(v, scale.data, bias.data), x.data),
    "x",
  );
  assertClose(
    scale.gradient,
    of((v) => norm(x.data, v, bias.data), scale.data),
    "scale",
  );
  assertClose(
    bias.gradient,
    of((v) => norm(x.data, scale.data, v), bias.data),
    "bias",
  );
});

test("embedding: rows that came twice are summed, others stay 0", async () => {
  const layer = new Embedding(await engine("portable"), 5, 4, seeded(1));
  const ids = Int32Array.of(3, 1, 3, 0, 3, 1);
  const positions = tensorOf([3, 4], 5);
  const embed = (table: Numbers) =>
    Float64Array.from(
      { length: 24 },
      (_, at) =>
        2 * table[ids[at >> 2] * 4 + (at & 3)] + positions.data[((at >> 2) % 3) * 4 + (at & 3)],
    );
  const x = layer.forward(ids, 2, positions);
  assert.deepEqual(x.dims, [2, 3, 4]);
  assertClose(x.data, embed(layer.table.data), "output");
  const dy = tensorOf([2, 3, 4], 6);
  layer.backward(dy);
  assertClose(layer.table.gradient, differences(embed, layer.table.data, dy.data), "table");
  assert.deepEqual(layer.table.gradient.subarray(8, 12), new Float32Array(4));
});

test("cross-entropy: loss and gradient, rows without a target left out", async () => {
  const attention = await engine("portable");
  const logits = tensorOf([1, 4, 6], 7, 5);
  const targets = Int32Array.of(2, -1, 5, 0);
  const loss = (x: Numbers) => {
    const rows = [0, 2, 3].map((row) => {
      const exponentials = Array.from({ length: 6 }, (_, i) => Math.exp(x[row * 6 + i]));
      return -Math.log(exponentials[targets[row]] / exponentials.reduce((a, b) => a + b));
    });
    return [rows.reduce((a, b) => a + b) / 3];
  };
  const got = lossOf(attention, logits, targets);
  assertClose([got.loss], loss(logits.data), "loss");
  assertClose(got.gradient.data, differences(loss, logits.data, [1]), "logits");
  assert.deepEqual(got.gradient.dims, logits.dims);
  attention.dispose();
});

/** Small beside where a ReLU bends. */
const STEP = 5e-4;

test("blocks: along a random direction of inputs and parameters, summed over two calls", async () => {
  const attention = await engine("portable");
  const shape = { size: 8, heads: 2, hidden: 12 };
  const encoder = new Block(attention, shape, seeded(4));
  const decoder = new DecoderBlock(attention, shape, seeded(5));
  const [x, memory] = [tensorOf([2, 3, 8], 10), tensorOf([2, 4, 8], 11)];
  const dy = tensorOf([2, 3, 8], 12);
  const cross = { keyLengths: [4, 2] };
  const layers = [
    {
      layer: encoder,
      inputs: [x],
      forward: (record?: true) => encoder.forward(x, { record }).output,
      backward: () => [encoder.backward(dy)],
    },
    {
      layer: decoder,
      inputs: [x, memory],
      forward: (record?: true) => decoder.forward(x, memory, { cross, record }).output,
      backward: () => {
        const back = decoder.backward(dy);
        return [back.x, back.memory];
      },
    },
  ];
  for (const { layer, inputs, forward, backward } of layers) {
    scatter(layer.parameters, 0.3);
    layer.update();
    // Twice, so that what is not added up shows.
    forward(true);
    backward();
    forward(true);
    const back = backward();
    const moved = [...inputs, ...layer.parameters];
    const gradients = [
      ...back.map(({ data }) => data),
      ...layer.parameters.map(({ gradient }) => gradient.map((g) => g / 2)),
    ];
    const before = moved.map(({ data }) => data.slice());
    const along = (direction: Float32Array[], step: number) => {
      moved.forEach(({ data }, i) => {
        for (let k = 0; k < data.length; k++) data[k] = before[i][k] + step * direction[i][k];
      });
      layer.update();
      return forward().data.reduce((sum, y, i) => sum + y * dy.data[i], 0);
    };
    // The layers' own gradients are held against float64 elsewhere; here it is whether each arrives.
    moved.forEach((_, alone) => {
      const direction = before.map(({ length }, i) =>
        randomArray(length, 20 + i, i === alone ? 1 : 0),
      );
      // By four points: a step that is large beside float32's rounding, and an error of its fourth power.
      const apart = (step: number) => along(direction, step) - along(direction, -step);
      const want = (8 * apart(STEP) - apart(2 * STEP)) / (12 * STEP);
      const got = direction[alone].reduce((sum, d, k) => sum + d * gradients[alone][k], 0);
      assert.ok(
        Math.abs(got - want) < 2e-3 * (1 + Math.abs(want)),
        `${alone}: ${got}, not ${want}`,
      );
    });
    along(before, 0);
    layer.dispose();
  }
  attention.dispose();
});

test("Adam walks to the bottom of a bowl; the rate rises, then falls to 0", async () => {
  const attention = await engine("portable");
  const x: Parameter = {
    data: Float32Array.of(3, -2),
    dims: [2],
    gradient: new Float32Array(2),
  };
  const adam = new Adam([x]);
  const schedule = { steps: 400, warmUp: 20, rate: 0.1 };
  const rates = Array.from({ length: 400 }, (_, step) => rateAt(attention, step, schedule));
  for (const rate of rates) {
    x.gradient.set([x.data[0] - 1, 100 * (x.data[1] - 1)]);
    adam.step(rate);
  }
  assertClose(x.data, [1, 1], "x", 1e-3);
  assert.deepEqual([...x.gradient], [0, 0]);
  assert.equal(Math.max(...rates), 0.1);
  rates.forEach((rate, step) => {
    const cosine = 0.05 * (1 + Math.cos((Math.PI * (step - 20)) / 380));
    assert.ok(Math.abs(rate - (step < 20 ? 0.005 * (step + 1) : cosine)) < 1e-8);
  });
  attention.dispose();
});
