// onnxruntime-node, native code on one thread: what the machine can do outside JavaScript.

import * as ort from "onnxruntime-node";
import { onnxPeer } from "./onnx";

export const onnxruntimeNode = onnxPeer("onnxruntime-node", ort, {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
