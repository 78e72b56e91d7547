// As Jest is by default: CommonJS.

const {
  ArgumentError,
  createAttention,
  fromFloat16,
  MultiHeadAttention,
  tensor,
} = require("wasm-attention");
const { positions, rotate } = require("wasm-attention/positions");
const { attendBackward, training } = require("wasm-attention/training");

const x = tensor(Float32Array.of(1, 0, 0, 1), [1, 1, 2, 2]);

function expectNear(data) {
  for (const [i, weight] of [0.75, 0.25, 0.25, 0.75].entries()) {
    expect(data[i]).toBeCloseTo(weight, 6);
  }
}

test("computes, by one thread and by two", async () => {
  for (const threads of [1, 2]) {
    const attention = await createAttention({ threads });
    expect(attention.threads + (attention.threadsFallback ? 1 : 0)).toBe(threads);
    const { output } = attention.attend(x, x, x, { scale: Math.log(3) });
    expectNear(output.data);
    const allocated = attention.allocate([1, 1, 2, 2]);
    allocated.data.set(x.data);
    const later = await attention.attendAsync(allocated, allocated, allocated, {
      scale: Math.log(3),
    });
    expectNear(later.output.data);
    attention.dispose();
  }
});

test("extensions", async () => {
  const attention = await createAttention({ extensions: [training, positions] });
  expect([...rotate(attention, x, { positions: 0 }).data.slice(0, 2)]).toEqual([1, 0]);
  const { output, logSumExp } = attention.attend(x, x, x, { logSumExp: true });
  const pass = { query: x, key: x, value: x, output, logSumExp, outputGradient: x };
  expect(attendBackward(attention, pass).valueGradient.data).toHaveLength(4);
  attention.dispose();
});

test("masks, half floats, the layer, errors", async () => {
  const attention = await createAttention();
  const mask = { data: Uint8Array.of(1, 0), dims: [2] };
  expect([...attention.attend(x, x, x, { mask }).output.data]).toEqual([1, 0, 1, 0]);
  expect([...fromFloat16(Uint16Array.of(0x3c00))]).toEqual([1]);
  const w = tensor(Float32Array.of(1, 0, 0, 1), [2, 2]);
  const weights = { wq: w, wk: w, wv: w, dense: w };
  const layer = MultiHeadAttention.fromMatrices(attention, weights, { heads: 1 });
  expect(layer.forward(tensor(x.data, [1, 2, 2])).output.data).toHaveLength(4);
  expect(() => attention.attend(x, x, tensor(x.data, [1, 1, 1, 4]))).toThrow(ArgumentError);
  attention.dispose();
});
