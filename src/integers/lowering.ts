// What an engine makes of a product of bytes, which decides how fast int8 is and none of its bits.

import { type Attention, checkAttention } from "../attend/attention";
import { type Module, moduleOf } from "../instance/modules";

/**
 * - `"vnni"`, `"sdot"`: one instruction for sixteen products, of unsigned by signed bytes or of signed ones
 * - `"pairs"`: two instructions and an addition, as on x64 without VNNI
 * - `"int16"`: numbers of 16 bits, in the portable build
 */
export type Int8Lowering = "vnni" | "sdot" | "pairs" | "int16";

/** By its answer, see assembly/simd/bytes.ts: the portable build's is 0x7f7f7f7f. */
const ANSWERS: Record<number, Int8Lowering> = {
  129540: "vnni",
  [-508]: "sdot",
  2139062143: "int16",
};

/**
 * How `int8` multiplies on this engine.
 *
 * @throws ArgumentError where the engine has no `integers`; DisposedError.
 */
export function int8Lowering(attention: Attention<"integers">): Int8Lowering {
  const name = "int8Lowering";
  return checkAttention(name, attention).run(name, function* (engine) {
    const module = engine.modules[moduleOf(engine, name, "integers")] as Module & {
      lowering(): number;
    };
    yield undefined;
    return ANSWERS[module.lowering()] ?? "pairs";
  });
}
