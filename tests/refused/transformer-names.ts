import {
  decoderFromTransformers,
  encoderFromPyTorch,
  encoderFromTransformers,
} from "wasm-attention/blocks";
import { type Refusal, zeros } from "./refusal";

export const transformerNamesRefused: Refusal[] = [
  [
    'encoderFromPyTorch: "linear1.weight" expected a tensor of this name, got none among the keys "norm1.weight", "self_attn.in_proj_weight", "self_attn.out_proj.weight"',
    (a) => {
      const dict = {
        "norm1.weight": zeros(8),
        "self_attn.in_proj_weight": zeros(24, 8),
        "self_attn.out_proj.weight": zeros(8, 8),
      };
      encoderFromPyTorch(a, dict, { heads: 2 });
    },
  ],
  [
    'encoderFromPyTorch: "0.linear1.weight" expected a tensor of this name, got none that begins with "0." among the keys "1.linear1.weight"',
    (a) => {
      const dict = { "1.linear1.weight": zeros(8, 8) };
      encoderFromPyTorch(a, dict, { heads: 2, prefix: "0." });
    },
  ],
  [
    'encoderFromTransformers: "model" expected "bert", "vit", "bart", "t5", "gpt2" or "llama", got "clip"',
    (a) => encoderFromTransformers(a, {}, { heads: 2, model: "clip" as "bert" }),
  ],
  [
    'decoderFromTransformers: "model" expected "bart" or "t5", got "gpt2"',
    (a) => decoderFromTransformers(a, {}, { heads: 2, model: "gpt2" }),
  ],
  [
    'encoderFromTransformers: "config.model_type" expected the name "model", got an option that does not exist',
    (a) => encoderFromTransformers(a, {}, { heads: 2, model_type: "bert" } as never),
  ],
  [
    'encoderFromTransformers: "intermediate.dense.weight" expected a tensor of this name, got none that begins with "" among the keys of no tensor',
    (a) => encoderFromTransformers(a, {}, { heads: 2, model: "bert" }),
  ],
];
