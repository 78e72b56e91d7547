// Known answers of the blocks kernels, see selftest.ts.

import { at, check, dot, type Numbers, numbers } from "../answers";
import type { Attention } from "../attend/attention";
import { prepareLinear } from "../linear/linear";
import { product } from "../selftest";
import { activate, activateBackward } from "./activate";
import { fusedLinear } from "./fused";
import { crossEntropy } from "./loss";
import { layerNorm } from "./norm";
import { layerNormBackward } from "./norm-backward";
import { softmax } from "./softmax";

const SIZES = [5, 37] as const;

export function checkBlocks(name: string, attention: Attention<"blocks">): void {
  const [rows, columns] = SIZES;
  const x = numbers(SIZES, 1);
  const each = (of: (row: number[]) => Numbers) =>
    Array.from({ length: rows }, (_, i) =>
      Array.from(of(Array.from(x.data.subarray(i * columns, (i + 1) * columns)))),
    ).flat();
  check(name, "softmax", softmax(attention, x).data, each(softmaxed));
  check(name, "layerNorm", layerNorm(attention, x).output.data, each(normalised));
  check(name, "activate", activate(attention, x, "silu").data, x.data.map(silu));
  const targets = Array.from({ length: rows }, (_, i) => (7 * i) % columns);
  const losses = each((row) => softmaxed(row).map((p) => -Math.log(p)));
  const want = targets.reduce((sum, t, i) => sum + at(losses, i * columns + t) / rows, 0);
  check(name, "crossEntropy", [crossEntropy(attention, x, targets).loss], [want]);

  const weight = numbers([columns, 9], 2);
  using prepared = prepareLinear(attention, weight, { order: "in,out" });
  const got = fusedLinear(attention, x, prepared, { activation: "silu" });
  check(name, "fusedLinear", got.data, Array.from(product(x, weight)).map(silu));
  checkGradients(name, attention);
}

/** Gradients along one direction. */
function checkGradients(name: string, attention: Attention<"blocks">): void {
  const [x, dy] = [numbers(SIZES, 3), numbers(SIZES, 4)];
  const step = Float64Array.from(x.data, (_, i) => Math.cos(i));
  const columns = SIZES[1];
  const along = (of: (data: Float64Array) => Numbers) => {
    const moved = (by: number) => dot(dy.data, of(step.map((s, i) => at(x.data, i) + by * s)));
    return [(moved(1e-4) - moved(-1e-4)) / 2e-3];
  };
  const rows = (data: Float64Array) =>
    Array.from(data, (_, i) =>
      i % columns ? [] : Array.from(normalised(Array.from(data.subarray(i, i + columns)))),
    ).flat();
  const { inputGradient } = layerNormBackward(attention, dy, x);
  check(name, "layerNormBackward", [dot(inputGradient.data, step) / 10], along(rows));
  const activated = activateBackward(attention, dy, x, "silu").inputGradient;
  const want = along((data) => data.map(silu));
  check(name, "activateBackward", [dot(activated.data, step) / 10], want);
}

const silu = (x: number) => x / (1 + Math.exp(-x));

function softmaxed(row: number[]): number[] {
  const sum = row.reduce((sum, x) => sum + Math.exp(x), 0);
  return row.map((x) => Math.exp(x) / sum);
}

function normalised(row: number[]): number[] {
  const mean = row.reduce((sum, x) => sum + x, 0) / row.length;
  const variance = row.reduce((sum, x) => sum + (x - mean) ** 2, 0) / row.length;
  return row.map((x) => (x - mean) / Math.sqrt(variance + 1e-5));
}
