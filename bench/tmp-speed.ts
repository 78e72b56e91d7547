import { createAttention } from "wasm-attention";
import { int8, int8Lowering, int16, integers } from "wasm-attention/integers";
import { random } from "./cases";
const cpu = () => { const { user, system } = process.cpuUsage(); return (user + system) / 1000; };
const median = (x: number[]) => x.sort((a, b) => a - b)[x.length >> 1];
for (const reproducible of [true, false]) {
  const a = await createAttention({ reproducible, extensions: [integers] });
  for (const [heads, n, d] of JSON.parse(process.argv[2] ?? "[[4,512,64],[2,1024,64],[1,2048,64]]")) for (const causal of [false, true]) {
    const t = [1, 2, 3, 4].map((s) => { const m = a.allocate([1, heads, n, d]); m.data.set(random(heads * n * d + s).subarray(s)); return m; });
    const [q, k, v, out] = t;
    const runs = [undefined, int16, int8].map((precision) => () => void a.attend(q, k, v, { causal, out, precision }));
    for (let i = 0; i < 3; i++) for (const r of runs) r();
    const r: number[][] = [[], [], []]; const best = [1e9, 1e9, 1e9];
    for (let round = 0; round < 15; round++) {
      const times = runs.map((run) => { const s = cpu(); for (let i = 0; i < 4; i++) run(); return (cpu() - s) / 4; });
      times.forEach((x, i) => { best[i] = Math.min(best[i], x); r[i].push(times[0] / x); });
    }
    console.log(a.variant, int8Lowering(a), heads, n, d, causal ? "causal" : "plain", "float best ms", best[0].toFixed(2), "int16", median(r[1]).toFixed(2), (best[0]/best[1]).toFixed(2), "int8", median(r[2]).toFixed(2), (best[0]/best[2]).toFixed(2));
    for (const m of t) m.dispose();
  }
  a.dispose();
}
