// The digests of all cases. They change when a kernel sums in another order, or a case does; never
// from one engine to another.

/** With `reproducible: true`, and wherever the portable build is the one picked. */
export const portable = "49ca8e7a9b86e2a766ed43959d87a8d479dca910abee6e21382a1d54fa23d952";

/** Of the relaxed build where a multiply-add rounds once (`attention.fused`). */
export const fused = "77433f6c8b2ed21408595021b2631d59e40efa29f7377a6d9c565b0d25658451";

/** The cases of training, likewise. */
export const training = {
  portable: "5d3170094e2c8459d024e56d941245bdc53eb0d33b8071f31a5e18873fbf71d1",
  fused: "f1a95df1d7a79f93ddd9b4e2eefd1c7beb4de6a826e51558e87bb3eb43a9559f",
};
