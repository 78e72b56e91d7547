import { attendItems, attendScratchBytes } from "../../assembly/attend/items";
import { BackwardFrame } from "../../assembly/backward/frame";
import { backwardScratchBytes } from "../../assembly/backward/items";
import { backwardItems } from "../../assembly/backward/order";

const frame = changetype<BackwardFrame>(memory.data(offsetof<BackwardFrame>(), 16));

function pose(batch: i32, heads: i32, shared: i32, queries: i32, keys: i32, size: i32): void {
  memory.fill(changetype<usize>(frame), 0, offsetof<BackwardFrame>());
  frame.threads = 1;
  frame.packedHeads = 1;
  frame.batch = batch;
  frame.heads = heads;
  frame.keyValueHeads = shared;
  frame.queries = queries;
  frame.keys = keys;
  frame.headSize = size;
  frame.valueSize = size;
}

describe("what a call needs, where 32 bits do not hold it", () => {
  it("one query of 2²² heads on far keys: two tiles of scores for each", () => {
    pose(1, 1 << 22, 1, 1, 1 << 20, 4);
    // 2 · 2²² · 128 · 4 bytes of scores alone.
    expect<f64>(attendScratchBytes(frame)).toBeGreaterThan(4294967296.0);
  });

  it("some queries of 2²⁷ dimensions: eight packed keys", () => {
    pose(1, 1, 1, 2, 1, 1 << 27);
    frame.valueSize = 1;
    // 8 · 2²⁷ · 4 bytes of keys and 4 · 2²⁷ · 4 of queries.
    expect<f64>(attendScratchBytes(frame)).toBeGreaterThan(4294967296.0 + 2147483648.0);
  });

  it("many queries of 2²⁷ dimensions, forward and backward", () => {
    pose(1, 1, 1, 65, 8, 1 << 27);
    frame.valueSize = 1;
    const rows = 64.0 * 134217728.0 * 4.0;
    expect<f64>(attendScratchBytes(frame)).toBeGreaterThan(rows + 4294967296.0);
    expect<f64>(backwardScratchBytes(frame)).toBeGreaterThan(2 * rows);
  });

  it("items of a long sequence beside 2²⁰ short ones", () => {
    pose(1 << 20, 64, 64, 1 << 20, 1 << 20, 1);
    // Each of 2²⁶ heads has 2¹³ tiles of keys and 2¹⁴ of rows.
    expect<f64>(attendItems(frame)).toBe(67108864.0 * (8192.0 + 16384.0));
    expect<f64>(backwardItems(frame)).toBe(67108864.0);
    pose(1 << 20, 64, 64, 1, 1 << 20, 1);
    frame.threads = 2;
    // Of every four heads, which are read in turns, the spans of 4096 keys and what becomes of them.
    expect<f64>(attendItems(frame)).toBe((67108864.0 / 4.0) * (256.0 + 1.0));
  });
});
