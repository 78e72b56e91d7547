// CTranslate2's model.bin, binary version 2: little endian, strings with their length and a closing
// zero. version u32, spec name, revision u32, count u32, then for each variable: name, rank u8, dims
// u32 each, item size u8, items u32, data.

import { readFileSync } from "node:fs";
import { type Tensor, tensor } from "wasm-attention";

/** The float32 variables by name. */
export function readModel(path: string): Map<string, Tensor> {
  const bytes = readFileSync(path);
  let at = 0;
  const byte = () => bytes.readUInt8(at++);
  const integer = () => {
    at += 4;
    return bytes.readUInt32LE(at - 4);
  };
  const string = () => {
    const length = bytes.readUInt16LE(at);
    at += 2 + length;
    return bytes.toString("utf8", at - length, at - 1);
  };
  if (integer() !== 2) throw new Error("not a model.bin of binary version 2");
  string();
  integer();
  const count = integer();
  const variables = new Map<string, Tensor>();
  for (let i = 0; i < count; i++) {
    const name = string();
    const dims = Array.from({ length: byte() }, integer);
    const size = byte();
    const end = size * integer();
    const data = bytes.buffer.slice(bytes.byteOffset + at, bytes.byteOffset + at + end);
    if (size === 4 && dims.length) variables.set(name, tensor(new Float32Array(data), dims));
    at += end;
  }
  if (at !== bytes.length) throw new Error("model.bin has a rest");
  return variables;
}
