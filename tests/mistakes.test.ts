// What people type, and the whole message that they get: each names the call, the argument at fault, what
// would have been right and what came.

import assert from "node:assert/strict";
import { test } from "node:test";
import { MultiHeadAttention } from "wasm-attention";
import { createWhole, engine } from "./engines";
import { heads, mistakes, unknown } from "./refused/mistakes";
import { eyes } from "./refused/multihead";
import { q, zeros } from "./refused/refusal";

const x = zeros(4, 8);

test("each of some fifty mistakes is named", async (t) => {
  const attention = await engine("portable");
  using layer = new MultiHeadAttention(attention, heads, eyes as never);
  for (const [call, message] of mistakes) {
    await t.test(message, () => {
      assert.throws(() => call(attention, layer), { name: "ArgumentError", message });
    });
  }
  await t.test("createAttention and asynchronous calls reject", async () => {
    await assert.rejects(createWhole({ thread: 4 } as never), {
      message: `createAttention: "thread" expected the name "threads", ${unknown}`,
    });
    await assert.rejects(createWhole({ training: true } as never), {
      message: `createAttention: "training" expected the name "extensions", ${unknown}`,
    });
    await assert.rejects(attention.attendAsync(q, q, q, { abortSignal: 1 } as never), {
      message: `attendAsync: "abortSignal" expected the name "signal", ${unknown}`,
    });
    await assert.rejects(layer.forwardAsync(x, { isCausal: true } as never), {
      message: `forwardAsync: "isCausal" expected the name "causal", ${unknown}`,
    });
  });
});

test("what is left out, or put on Object.prototype, is no option", async () => {
  const attention = await engine("portable");
  const prototype = Object.prototype as { polluted?: number };
  prototype.polluted = 1;
  try {
    const { output } = attention.attend(q, q, q, { casual: undefined } as never);
    assert.deepEqual(output.dims, q.dims);
  } finally {
    delete prototype.polluted;
  }
});
