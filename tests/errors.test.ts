// Every error message once; after each, the same engine gives the right answer and holds no more
// memory than before.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ArgumentError,
  AttentionError,
  createAttention,
  DisposedError,
  linear,
  MultiHeadAttention,
  prepareLinear,
  UnsupportedError,
} from "wasm-attention";
import { attendBackward, linearBackward, multiHeadBackward } from "wasm-attention/training";
import { engine } from "./engines";

import { attendRefused } from "./refused/attend";
import { backwardRefused } from "./refused/backward";
import { blocksRefused } from "./refused/blocks";
import { cacheRefused } from "./refused/cache";
import { compressRefused } from "./refused/compress";
import { integersRefused } from "./refused/integers";
import { linearRefused } from "./refused/linear";
import { linearAttentionRefused } from "./refused/linear-attention";
import { eyes, multiheadRefused } from "./refused/multihead";
import { packedRefused } from "./refused/packed";
import { positionsRefused } from "./refused/positions";
import { quantizedRefused } from "./refused/quantized";
import { q, zeros } from "./refused/refusal";
import { rotaryRefused } from "./refused/rotary";
import { shardsRefused, shardsRefusedLater } from "./refused/shards";
import { tensorRefused } from "./refused/tensor";
import { transformerRefused } from "./refused/transformer";
import { transformerNamesRefused } from "./refused/transformer-names";
import { variantsRefused } from "./refused/variants";

const refused = [
  ...tensorRefused,
  ...attendRefused,
  ...packedRefused,
  ...rotaryRefused,
  ...positionsRefused,
  ...cacheRefused,
  ...blocksRefused,
  ...shardsRefused,
  ...transformerRefused,
  ...transformerNamesRefused,
  ...variantsRefused,
  ...linearAttentionRefused,
  ...linearRefused,
  ...quantizedRefused,
  ...compressRefused,
  ...integersRefused,
  ...multiheadRefused,
  ...backwardRefused,
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

test("attention over shards: the same of calls that reject", async (t) => {
  const attention = await engine("portable");
  const { used } = attention.memory;
  for (const [message, call] of shardsRefusedLater) {
    await t.test(message, async () => {
      await assert.rejects(call(attention), { name: "ArgumentError", message });
      assert.equal(attention.memory.used, used);
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
      'createAttention: "module" expected a WebAssembly.Module, or { core? } of them, got an object with {}',
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
      /"module" expected a build of this version, got a module of another package or version/,
    );
    return true;
  });
});

test("what was disposed says so", async () => {
  const attention = await engine("portable");
  const other = await engine("portable");
  const allocated = attention.allocate([2]);
  const gone = attention.allocate([1, 1, 1, 1]);
  gone.dispose();
  const weight = prepareLinear(attention, zeros(8, 8), { order: "in,out" });
  const foreign = prepareLinear(other, zeros(8, 8), { order: "in,out" });
  const disposed: [string, () => unknown][] = [
    ['data: "tensor" expected a tensor in use, got a disposed one', () => gone.data],
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
        return linear(attention, q, weight);
      },
    ],
    [
      'forward: "layer" expected a layer in use, got a disposed one',
      () => {
        const made = new MultiHeadAttention(attention, { heads: 2 }, eyes as never);
        made.dispose();
        return made.forward(zeros(4, 8));
      },
    ],
    [
      'linearBackward: "prepared" expected a weight in use, got a disposed one',
      () => linearBackward(attention, q, q, weight),
    ],
    ['update: "prepared" expected a weight in use, got a disposed one', () => weight.update(q)],
    [
      'attendBackward: "out.key" expected a tensor in use, got a disposed one',
      () => {
        const one = zeros(1, 1, 1, 1);
        const state = { output: one, logSumExp: zeros(1, 1, 1) };
        return attendBackward(
          attention,
          { ...state, query: one, key: one, value: one, outputGradient: one },
          { out: { key: gone } },
        );
      },
    ],
    [
      'multiHeadBackward: "record" expected a record in use, got a disposed one',
      () => {
        using made = new MultiHeadAttention(attention, { heads: 2 }, eyes as never);
        const { record } = made.forward(zeros(4, 8), { record: true });
        record?.dispose();
        return multiHeadBackward(made, zeros(4, 8), record as NonNullable<typeof record>);
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
    ['data: "tensor" expected a tensor in use, got a disposed one', () => allocated.data],
  ];
  assert.throws(() => linear(attention, q, foreign), {
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
