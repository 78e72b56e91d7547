// The digests of all cases. They change when a kernel sums in another order, or a case does; never
// from one engine to another.

/** Of the cases of one kind, or of the kinds of build where they are not the same in all. */
type Digests = string | ByRounding;

interface ByRounding {
  /** With `reproducible: true`, and wherever a multiply-add rounds twice. */
  readonly portable: string;
  /** Of the relaxed build where a multiply-add rounds once (`attention.fused`). */
  readonly fused: string;
}

const expected = {
  /** What needs no extension but positions. */
  core: {
    portable: "a15cee7423855a4b2e218a2e8b68cc595bed14e8d61c560d26dd887fe6f229b3",
    fused: "9cfc51bdb6bf05f4a64eddfca00269849e67ebaada93593c140c28b0e0ba6cb4",
  },
  training: {
    portable: "d27ace4ee19b91378c5ce47bdf408171ecb4e8b02d8b248d5e616c0a79fcbd0e",
    fused: "9750edaa9afc691260da559c359c6de435c69e5b50a8976f824e2233d776511c",
  },
  /** Caches of float32. */
  caches: {
    portable: "f15f1cf9cac09c1cf3306c5f1fb421b52a311848776bc5299811cc5dbcfcf9d4",
    fused: "51b191c69462adef09fda7d5429b2900da7ab6bf85e68a09ac285872512b6c35",
  },
  /** Caches of few bits: of every build. */
  stored: "74fde594f5752f2ea324f0492998eb9832b917a368eeac8435df974bf811b23b",
  blocks: {
    portable: "ff65fa2fb2905010e92943805419c5d54a6366b8f362f326c57f4578bf12bc71",
    fused: "0500ec95994a75b9e389e6c48851efcb5829b91c5955d0c91ac522a36a243560",
  },
  /** Weights of few bits: of every build. */
  quantized: "2579d404be9f33b85a99c85d3c4cf44dfd6936aee51073274f4cda9210c4d45a",
  /** Weights of 16 bits, multiplied in float32. */
  halves: {
    portable: "6de769397a2eb5f3abed419fc326316fa14f2ea63e476b1ff3612e6874a115cf",
    fused: "e81c7ed7bfca0f5018b78a4ad9d211a625f0d3bbaac6e605ba5b2ab8521c7757",
  },
  /** All cases of attend in integers of 16 bits: of every build. */
  integers: "7f4e2e46a5ddd37fb4b1ebd411d30e2d1538072a6e1d57b9e5c380f189d12c24",
  /** And of 8 bits: of every build. */
  int8: "f22b64c97e064e2cf71430c2e972b8ad4e37401f03095b7bf2917bd7825dce3c",
  variants: {
    portable: "f2e50f903287b0434886758799f5dd732af77f40621b6926c167c3ec7e02fc25",
    fused: "52f6c4c4a67ff84c65eaa0941e06071e7c7cc32b00c29cbd9184d4a19138f30f",
  },
  shards: {
    portable: "0e1337f062c55ae863049895cc8e1cbc5125a243112499a81d808da6b4f5ed59",
    fused: "94bcd861738c180ab965368c65476ffafc2aa5c237dd875d5a9b5fc130f87e9a",
  },
} satisfies Record<string, Digests>;

export type Group = keyof typeof expected;

/** The digests of `groups` where a multiply-add rounds once, or twice. */
export function expectedOf(groups: readonly Group[], fused: boolean): Record<string, string> {
  const digest = (digests: Digests) =>
    typeof digests === "string" ? digests : digests[fused ? "fused" : "portable"];
  return Object.fromEntries(groups.map((group) => [group, digest(expected[group])]));
}

/** All groups. */
export const GROUPS = Object.keys(expected) as Group[];
