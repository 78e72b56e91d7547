import { serve, root } from "./chromium";
import { mkdirSync } from "node:fs";
mkdirSync(`${root}build/screenshots`, { recursive: true });
const served = await serve(`${root}dist`, () => ({}), { "/page.html": `<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width, initial-scale=1"><title>View</title><style>body{margin:1rem} @media(prefers-color-scheme:dark){body{background:#1e1b29}}</style><main><attention-view></attention-view></main><script src="/view.js"></script>` });
const make = `(layers, heads, L, S, D, causal) => {
  let seed = 1; const random = () => (seed = (seed * 16807) % 2147483647) / 2147483647 * 2 - 1;
  const q = Float32Array.from({ length: layers*heads*L*D }, () => random()*2), k = Float32Array.from({ length: layers*heads*S*D }, () => random()*2);
  const w = new Float32Array(layers*heads*L*S);
  for (let h = 0; h < layers*heads; h++) for (let i = 0; i < L; i++) {
    let sum = 0; const at = (h*L+i)*S; const end = causal ? Math.min(S, i+1) : S;
    for (let j = 0; j < end; j++) { let s = 0; for (let d = 0; d < D; d++) s += q[(h*L+i)*D+d]*k[(h*S+j)*D+d]; s /= Math.sqrt(D); w[at+j] = Math.exp(s); sum += w[at+j]; }
    for (let j = 0; j < end; j++) w[at+j] /= sum;
  }
  return { weights: { data: w, dims: [layers, heads, L, S] }, query: { data: q, dims: [layers, heads, L, D] }, key: { data: k, dims: [layers, heads, S, D] } };
}`;
const words = "Call me Ishmael. Some years ago never mind how long precisely having little or no money in my purse and nothing particular to interest me on shore I thought I would sail about a little and see the watery part of the world".split(" ");
for (const [width, height, colorScheme] of [[1400, 1000, "light"], [390, 844, "dark"]] as const) {
  const page = await served.browser.newPage({ viewport: { width, height }, colorScheme });
  page.on("pageerror", (e) => console.log("ERR", e));
  page.on("console", (m) => console.log(m.text()));
  await page.goto(served.address + "/page.html");
  await page.evaluate(`{ const m = (${make})(4, 4, 40, 40, 8, true); const words = ${JSON.stringify(words)}; document.querySelector("attention-view").maps = { ...m, rows: words.slice(0,40), causal: true, pageSize: 16 }; }`);
  await page.waitForTimeout(300);
  const shot = (name: string) => page.screenshot({ path: `${root}build/screenshots/try-${name}-${width}.png`, fullPage: true });
  await shot("map");
  const box = (await page.locator("[part=canvas]").boundingBox())!;
  await page.locator("[part=stage]").focus();
  for (const k of ["ArrowDown","ArrowDown","ArrowDown","ArrowDown","Enter"]) await page.keyboard.press(k);
  for (const k of ["Shift+ArrowDown","Shift+ArrowDown","Shift+ArrowRight"]) await page.keyboard.press(k);
  await page.waitForTimeout(200);
  await shot("locked");
  await page.click("text=lines"); await page.waitForTimeout(200);
  await shot("lines");
  await page.click("text=hide sinks"); 
  await page.evaluate(`{ const canvas = document.createElement("canvas"); canvas.width = 320; canvas.height = 240; const c = canvas.getContext("2d"); const g = c.createLinearGradient(0,0,320,240); g.addColorStop(0,"#2a7"); g.addColorStop(1,"#48f"); c.fillStyle=g; c.fillRect(0,0,320,240); c.fillStyle="#fc3"; c.beginPath(); c.arc(220,80,50,0,7); c.fill();
   const m = (${make})(1, 2, 5, 49, 8, false); document.querySelector("attention-view").maps = { ...m, rows: ["where","is","the","sun","?"], image: { source: canvas, rows: 6, columns: 8, first: 1 } }; document.querySelector("attention-view").picture = "image" }`);
  await page.waitForTimeout(300);
  await shot("image");
  await page.evaluate(`{ const L=4096; const w = new Float32Array(2*L*L); let seed=7; for (let h=0;h<2;h++) for (let i=0;i<L;i++){ let sum=0; const at=(h*L+i)*L; for(let j=0;j<=i;j++){ seed=(seed*16807)%2147483647; const x = Math.exp(-Math.abs(i-j-(h?0:300))/60)*(seed/2147483647) + 1e-4 + (j===0?3:0); w[at+j]=x; sum+=x;} for(let j=0;j<=i;j++) w[at+j]/=sum; }
   const el=document.querySelector("attention-view"); el.picture="map"; const t=performance.now(); el.maps = { weights:{data:w,dims:[2,L,L]}, rows: Array.from({length:L},(_, i)=>"tok"+i), causal: true, pageSize: 512 }; console.log("set", performance.now()-t); }`);
  await page.waitForTimeout(500);
  await shot("long");
  await page.click("text=whole"); await page.waitForTimeout(500);
  await shot("whole");
  await page.close();
}
await served.close();
