import { random } from "./cases";
import { jax } from "./peers/jax";

const x = random(12 * 128 * 64);
try {
  const r = await jax.prepare({ heads: 12, n: 128, d: 64, causal: false }, x, x, x);
  await r.run();
  await r.run();
  const t = performance.now();
  await r.run();
  console.log(performance.now() - t);
} catch (e) {
  console.log(e);
}
process.exit(0);
