// Every error message once; after each, the same engine gives the right answer and holds no more
// memory than before.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ArgumentError,
  type Attention,
  AttentionError,
  createAttention,
  DisposedError,
  MultiHeadAttention,
  tensor,
  UnsupportedError,
} from "wasm-attention";
import { engine } from "./engines";

const zeros = (...dims: number[]) =>
  tensor(new Float32Array(dims.reduce((a, b) => a * b, 1)), dims);
const q = zeros(1, 2, 4, 8);
const [none, list] = [undefined as never, [] as never];

type Call = (attention: Attention) => unknown;
const attend =
  (options: object, query = q, key = query, value = key): Call =>
  (attention) =>
    attention.attend(query, key, value, options);
const layer =
  (config: object, weights: object): Call =>
  (attention) =>
    new MultiHeadAttention(attention, config as never, weights as never);
const eye = { weight: zeros(8, 8), order: "in,out" };
const eyes = { query: eye, key: eye, value: eye, output: eye };

const refused: [message: string, call: Call][] = [
  ['tensor: "dims" expected an array of sizes, got 3', () => tensor(q.data, 3 as never)],
  ['tensor: "dims" expected sizes from 0 to 2³¹ − 1, got [-1, 2]', () => tensor(q.data, [-1, 2])],
  ['tensor: "dims" expected sizes from 0 to 2³¹ − 1, got [1.5]', () => tensor(q.data, [1.5])],
  [
    'tensor: "dims" expected fewer than 2³¹ elements, got [65536, 65536]',
    () => tensor(q.data, [65536, 65536]),
  ],
  ['tensor: "data" expected a Float32Array, got [1]', () => tensor([1] as never, [1])],
  ['tensor: "data" expected 3·5 = 15 elements, got 64', () => tensor(q.data, [3, 5])],

  ['attend: "query" expected a tensor { data, dims }, got 3', attend({}, 3 as never)],
  [
    'attend: "key" expected a tensor { data, dims }, got Float32Array of 2',
    attend({}, q, new Float32Array(2) as never),
  ],
  ['attend: "value" expected a tensor { data, dims }, got null', attend({}, q, q, null as never)],
  [
    'attend: "key.dims" expected an array of sizes, got "8"',
    attend({}, q, { data: q.data, dims: "8" as never }),
  ],
  [
    'attend: "key" expected B·Hkv·S·D = 1·2·3·8 = 48 elements, got 64',
    attend({}, q, { data: q.data, dims: [1, 2, 3, 8] }),
  ],
  [
    'attend: "key" expected a Float32Array, got Float64Array of 1',
    attend({}, q, { data: new Float64Array(1) as never, dims: [1] }),
  ],
  ['attend: "layout" expected "BHLD", "BLHD" or "BLE", got "BSH"', attend({ layout: "BSH" })],
  ['attend: "heads" expected no value with layout "BHLD", got 2', attend({ heads: 2 })],
  [
    'attend: "keyValueHeads" expected no value with layout "BLHD", got 2',
    attend({ layout: "BLHD", keyValueHeads: 2 }),
  ],
  [
    'attend: "heads" expected an integer from 1, got undefined',
    attend({ layout: "BLE" }, zeros(1, 4, 8)),
  ],
  [
    'attend: "keyValueHeads" expected an integer from 1, got 0',
    attend({ layout: "BLE", heads: 2, keyValueHeads: 0 }, zeros(1, 4, 8)),
  ],
  ['attend: "key.dims" expected the query\'s rank, 4, got [4, 8]', attend({}, q, zeros(4, 8))],
  [
    'attend: "query.dims" expected rank 2 to 4, in full [B, H, L, D], got [8]',
    attend({}, zeros(8)),
  ],
  [
    'attend: "query.dims" expected rank 2 to 3, in full [B, L, H·D], got [1, 2, 4, 8]',
    attend({ layout: "BLE", heads: 2 }),
  ],
  [
    'attend: "query.dims" expected a last axis divisible by 3 heads, got [4, 8]',
    attend({ layout: "BLE", heads: 3 }, zeros(4, 8)),
  ],
  [
    'attend: "query.dims" expected a last axis of at least 1, got [1, 2, 4, 0]',
    attend({}, zeros(1, 2, 4, 0)),
  ],
  [
    'attend: "query.dims" expected at least one head, got [1, 0, 4, 8]',
    attend({}, zeros(1, 0, 4, 8)),
  ],
  [
    'attend: "key.dims" expected [B, Hkv, S, D] with B = 1, got B = 2 in [2, 2, 4, 8]',
    attend({}, q, zeros(2, 2, 4, 8)),
  ],
  [
    'attend: "key.dims" expected [B, Hkv, S, D] with D = 8, got D = 7 in [1, 2, 4, 7]',
    attend({}, q, zeros(1, 2, 4, 7)),
  ],
  [
    'attend: "value.dims" expected [B, Hkv, S, Dv] with S = 4, got S = 5 in [1, 2, 5, 8]',
    attend({}, q, q, zeros(1, 2, 5, 8)),
  ],
  [
    'attend: "value.dims" expected [B, Hkv, S, Dv] with Hkv = 2, got Hkv = 1 in [1, 1, 4, 8]',
    attend({}, q, q, zeros(1, 1, 4, 8)),
  ],
  [
    'attend: "key.dims" expected Hkv to divide H = 2, got Hkv = 3 in [1, 3, 4, 8]',
    attend({}, q, zeros(1, 3, 4, 8)),
  ],
  ['attend: "scale" expected a finite number, got NaN', attend({ scale: NaN })],
  ['attend: "scale" expected a finite number, got 1e+300', attend({ scale: 1e300 })],
  [
    'attend: "causal" expected a boolean, "upper-left" or "lower-right", got "bottom-right"',
    attend({ causal: "bottom-right" }),
  ],
  [
    'attend: "queryOffset" expected no value with causal "lower-right", which is keys − queries of each batch, got 0',
    attend({ causal: "lower-right", queryOffset: 0 }),
  ],
  [
    'attend: "queryOffset[0]" expected an integer from -1073741824 to 1073741824, got 0.5',
    attend({ queryOffset: 0.5 }),
  ],
  [
    'attend: "keyLengths" expected one integer for each of 1 batches, got [4, 4]',
    attend({ keyLengths: [4, 4] }),
  ],
  ['attend: "keyLengths[0]" expected an integer from 0 to 4, got 5', attend({ keyLengths: [5] })],
  [
    'attend: "queryLengths" expected one integer for each of 1 batches, got 4',
    attend({ queryLengths: 4 }),
  ],
  [
    'attend: "queryLengths[0]" expected an integer from 0 to 4, got -1',
    attend({ queryLengths: [-1] }),
  ],
  [
    'attend: "mask" expected L·S = 16 or B·H·L·S = 32 elements in a bare array, got 4; give { data, dims } to broadcast',
    attend({ mask: new Float32Array(4) }),
  ],
  [
    'attend: "mask.data" expected a Float32Array (additive) or Uint8Array (1 takes part), got [1]',
    attend({ mask: { data: [1], dims: [1] } }),
  ],
  [
    'attend: "mask" expected a Float32Array (additive) or Uint8Array (1 takes part), got Int32Array of 16',
    attend({ mask: new Int32Array(16) }),
  ],
  [
    'attend: "mask" expected 4·4 = 16 elements, got 4',
    attend({ mask: { data: new Uint8Array(4), dims: [4, 4] } }),
  ],
  [
    'attend: "mask.dims" expected dims that broadcast over [B, H, L, S] = [1, 2, 4, 4], got [3, 1, 1]',
    attend({ mask: { data: new Uint8Array(3), dims: [3, 1, 1] } }),
  ],
  ['attend: "weights" expected a boolean or "mean", got "sum"', attend({ weights: "sum" })],
  ['attend: "out" expected 1·2·4·8 = 64 elements, got 63', attend({ out: new Float32Array(63) })],
  [
    'attend: "out.dims" expected [1, 2, 4, 8], got [2, 1, 4, 8]',
    attend({ out: zeros(2, 1, 4, 8) }),
  ],

  [
    'prepareLinear: "order" expected "out,in" or "in,out", got undefined',
    (a) => a.prepareLinear(zeros(2, 2), none),
  ],
  [
    'prepareLinear: "weight.dims" expected [in,out], each at least 1, got [2]',
    (a) => a.prepareLinear(zeros(2), { order: "in,out" }),
  ],
  [
    'prepareLinear: "bias" expected 3 elements, got 2',
    (a) => a.prepareLinear(zeros(2, 3), { order: "in,out", bias: new Float32Array(2) }),
  ],
  ['linear: "prepared" expected a weight from prepareLinear, got []', (a) => a.linear(q, list)],
  [
    'linear: "x.dims" expected […, in] with in = 3, got [1, 2]',
    (a) => {
      using weight = a.prepareLinear(zeros(3, 2), { order: "in,out" });
      return a.linear(zeros(1, 2), weight);
    },
  ],
  ['allocate: "dims" expected an array of sizes, got undefined', (a) => a.allocate(none)],

  ['MultiHeadAttention: "heads" expected an integer from 1, got 1.5', layer({ heads: 1.5 }, eyes)],
  [
    'MultiHeadAttention: "keyValueHeads" expected a divisor of heads = 4, got 3',
    layer({ heads: 4, keyValueHeads: 3 }, eyes),
  ],
  [
    'MultiHeadAttention: "key" expected a projection { weight, order, bias? }, got undefined',
    layer({ heads: 2 }, { query: eye }),
  ],
  [
    'MultiHeadAttention: "query" expected a weight to a multiple of 3 heads, got 8',
    layer({ heads: 3 }, eyes),
  ],
  [
    'MultiHeadAttention: "key" expected a weight to Hkv·D = 4 outputs, got 8',
    layer({ heads: 2, keyValueHeads: 1 }, eyes),
  ],
  [
    'MultiHeadAttention: "value" expected a weight to a multiple of 2 heads, got 7',
    layer({ heads: 2 }, { ...eyes, value: { ...eye, weight: zeros(8, 7) } }),
  ],
  [
    'MultiHeadAttention: "output" expected a weight from H·Dv = 8 inputs, got 7',
    layer({ heads: 2 }, { ...eyes, output: { ...eye, weight: zeros(7, 8) } }),
  ],
  [
    'MultiHeadAttention: "key.dims" expected [B, S, 8] or [S, 8], got [4, 7]',
    (a) => {
      using made = new MultiHeadAttention(a, { heads: 2 }, eyes as never);
      return made.forward(zeros(4, 8), zeros(4, 7));
    },
  ],
  [
    'MultiHeadAttention: "weights" expected 4 kernels, or 4 kernels each with its bias, got []',
    (a) => MultiHeadAttention.fromKeras(a, []),
  ],
  [
    'MultiHeadAttention: "weights[0].dims" expected [in, heads, size], got [8, 8]',
    (a) => MultiHeadAttention.fromKeras(a, new Array(4).fill(zeros(8, 8))),
  ],
  [
    'MultiHeadAttention: "in_proj_weight.dims" expected [3·E, E], got [8, 8]',
    (a) =>
      MultiHeadAttention.fromPyTorch(
        a,
        { in_proj_weight: zeros(8, 8), "out_proj.weight": zeros(8, 8) },
        { heads: 2 },
      ),
  ],
  [
    'MultiHeadAttention: "in_proj_bias" expected 3·E elements, got 8',
    (a) =>
      MultiHeadAttention.fromPyTorch(
        a,
        {
          in_proj_weight: zeros(24, 8),
          in_proj_bias: new Float32Array(8),
          "out_proj.weight": zeros(8, 8),
        },
        { heads: 2 },
      ),
  ],
];

test("bad input: each message names the argument, what was expected and what came", async (t) => {
  const attention = await engine("portable");
  const good = attention.attend(q, q, q).output.data;
  const { used } = attention.memory;
  for (const [message, call] of refused) {
    await t.test(message, () => {
      assert.throws(
        () => call(attention),
        (error) => {
          assert.ok(error instanceof ArgumentError && error instanceof AttentionError);
          assert.equal(error.name, "ArgumentError");
          assert.equal(error.message, message);
          assert.ok(
            message.includes(
              `"${error.argument}" expected ${error.expected}, got ${error.received}`,
            ),
          );
          return true;
        },
      );
      assert.equal(attention.memory.used, used);
      assert.deepEqual(attention.attend(q, q, q).output.data, good);
    });
  }
});

test("createAttention refuses bad options and modules", async () => {
  const options: [string, object][] = [
    ['createAttention: "reproducible" expected a boolean, got 1', { reproducible: 1 }],
    [
      'createAttention: "initialMemory" expected bytes from 65536 to 2³², got 1',
      { initialMemory: 1 },
    ],
    [
      'createAttention: "maximumMemory" expected bytes from 65536 to 2³², got NaN',
      { maximumMemory: NaN },
    ],
    [
      'createAttention: "initialMemory" expected at most maximumMemory = 65536, got 131072',
      { initialMemory: 131072, maximumMemory: 65536 },
    ],
    [
      'createAttention: "module" expected a WebAssembly.Module, got an object with {}',
      { module: {} },
    ],
  ];
  for (const [message, given] of options) {
    await assert.rejects(createAttention(given), { name: "ArgumentError", message });
  }
  const foreign = new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  await assert.rejects(createAttention({ module: foreign }), (error: Error) => {
    assert.ok(error instanceof UnsupportedError);
    assert.match(
      error.message,
      /"module" expected a build with a call frame of \d+ slots, got a module of another package or version/,
    );
    return true;
  });
});

test("what was disposed says so", async () => {
  const attention = await engine("portable");
  const other = await engine("portable");
  const kept = attention.allocate([2]);
  const gone = attention.allocate([1, 1, 1, 1]);
  gone.dispose();
  const weight = attention.prepareLinear(zeros(8, 8), { order: "in,out" });
  const foreign = other.prepareLinear(zeros(8, 8), { order: "in,out" });
  const disposed: [string, () => unknown][] = [
    ['allocate: "tensor" expected a tensor in use, got a disposed one', () => gone.data],
    [
      'attend: "query" expected a tensor in use, got a disposed one',
      () => attention.attend(gone, gone, gone),
    ],
    [
      'attend: "out" expected a tensor in use, got a disposed one',
      () =>
        attention.attend(zeros(1, 1, 1, 1), zeros(1, 1, 1, 1), zeros(1, 1, 1, 1), { out: gone }),
    ],
    [
      'linear: "prepared" expected a weight in use, got a disposed one',
      () => {
        weight.dispose();
        return attention.linear(q, weight);
      },
    ],
    [
      'MultiHeadAttention: "layer" expected a layer in use, got a disposed one',
      () => {
        const made = new MultiHeadAttention(attention, { heads: 2 }, eyes as never);
        made.dispose();
        return made.forward(zeros(4, 8));
      },
    ],
    [
      'attend: "attention" expected an engine in use, got a disposed one',
      () => {
        attention.dispose();
        attention.dispose();
        return attention.attend(q, q, q);
      },
    ],
    ['memory: "attention" expected an engine in use, got a disposed one', () => attention.memory],
    ['allocate: "tensor" expected a tensor in use, got a disposed one', () => kept.data],
  ];
  assert.throws(() => attention.linear(q, foreign), {
    message: 'linear: "prepared" expected a weight of this engine, got one of another',
  });
  for (const [message, call] of disposed) {
    assert.throws(call, (error) => {
      assert.ok(error instanceof DisposedError, String(error));
      assert.equal(error.message, message);
      return true;
    });
  }
});
