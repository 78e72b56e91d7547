// The digests of all cases. They change when a kernel sums in another order, or a case does; never
// from one engine to another.

/** With `reproducible: true`, and wherever the portable build is the one picked. */
export const portable = "80e91f1c0fb8d0865f59f9b89fbce212122b2b0ec83eb041fa39df43ef891136";

/** Of the relaxed build where a multiply-add rounds once (`attention.fused`). */
export const fused = "cf2a575023bf7d288df81606ae1481cca1b11331d44c61176267acc99fd27a06";
