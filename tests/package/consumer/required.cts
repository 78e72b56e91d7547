// A user's CommonJS module, where Node loads ES modules by `require`.

import attentions = require("wasm-attention");
import positions = require("wasm-attention/positions");
import training = require("wasm-attention/training");

export async function variant(): Promise<attentions.Variant> {
  const attention = await attentions.createAttention({
    extensions: [training.training, positions.positions],
  });
  const x = attentions.tensor(new Float32Array(4), [2, 2]);
  const rotated: attentions.Tensor = positions.rotate(attention, x);
  const { output, logSumExp } = attention.attend(rotated, x, x, { logSumExp: true });
  training.attendBackward(attention, {
    ...{ query: rotated, key: x, value: x, output, logSumExp },
    outputGradient: x,
  });
  return attention.variant;
}
