import { philox } from "../../assembly/random/philox";

const KEY: u64 = 0x0000000500000004;

describe("philox", () => {
  it("gives Random123's known answers", () => {
    const words = new Uint32Array(16);
    philox(0, 0, 0, 0, 0, words.dataStart);
    expect<u32>(words[0]).toBe(0x6627e8d5);
    expect<u32>(words[1]).toBe(0xe169c58d);
    expect<u32>(words[2]).toBe(0xbc57ac4c);
    expect<u32>(words[3]).toBe(0x9b00dbd8);
    philox(-1, -1, -1, -1, <u64>-1, words.dataStart);
    expect<u32>(words[0]).toBe(0x408f276d);
    expect<u32>(words[1]).toBe(0x41c83b0e);
    expect<u32>(words[2]).toBe(0xa20bc7c6);
    expect<u32>(words[3]).toBe(0x6d5451fd);
    // Of the digits of π, the third of the published vectors.
    philox(0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0x299f31d0a4093822, words.dataStart);
    expect<u32>(words[0]).toBe(0xd16cfe09);
    expect<u32>(words[1]).toBe(0x94fdcceb);
    expect<u32>(words[2]).toBe(0x5001e420);
    expect<u32>(words[3]).toBe(0x24126ea1);
  });

  it("gives the next three counters' words behind", () => {
    const four = new Uint32Array(16);
    const one = new Uint32Array(16);
    philox(7, 1, 2, 3, KEY, four.dataStart);
    for (let lane = 0; lane < 4; lane++) {
      philox(7 + lane, 1, 2, 3, KEY, one.dataStart);
      for (let word = 0; word < 4; word++) {
        expect<u32>(four[4 * lane + word]).toBe(one[word]);
      }
    }
  });
});
