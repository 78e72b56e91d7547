// The digests of all cases. They change when a kernel sums in another order, or a case does; never
// from one engine to another.

/** With `reproducible: true`, and wherever the portable build is the one picked. */
export const portable = "a15cee7423855a4b2e218a2e8b68cc595bed14e8d61c560d26dd887fe6f229b3";

/** Of the relaxed build where a multiply-add rounds once (`attention.fused`). */
export const fused = "9cfc51bdb6bf05f4a64eddfca00269849e67ebaada93593c140c28b0e0ba6cb4";
